import type { Arguments } from '../arguments.ts';
import type { Kube } from '../kube.ts';
import type { Terminal } from '../terminal.ts';

export interface Context {
  args: Arguments;
  kube: Kube;
  terminal: Terminal;
}

/** @throws UsageError, PluginError, ApiError, Unreachable */
export type Command = (context: Context) => Promise<void>;
