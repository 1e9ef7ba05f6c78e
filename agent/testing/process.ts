// The agent as a process of its own, on ports of its choice.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { credentials } from '@grpc/grpc-js';
import * as z from 'zod';
import type { AgentClient } from '../../shared/proto/gen/jvs/agent/v1/Agent.ts';
import { loadAgent } from '../../shared/proto/load.ts';

const main = join(import.meta.dirname, '../main.ts');
const started = z.object({
  msg: z.literal('agent started'),
  debugPort: z.number(),
  healthPort: z.number(),
});

export interface AgentProcess {
  client: AgentClient;
  healthPort: number;
  address: string;
  pid: number;
  /** Lines of its log. */
  said: readonly string[];
  /** Resolves when it has ended, with its exit code or signal. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** Resolves when its ports are open. `through`: a program and arguments that end by executing what follows them. */
export async function startProcess(
  volume: string,
  argv: readonly string[] = [],
  through: readonly string[] = [],
): Promise<AgentProcess> {
  const own = [`--volume=${volume}`, '--debug-address=127.0.0.1:0', '--health-port=0'];
  const child = launch([...own, ...argv], through);
  const exited = ended(child);
  const said: string[] = [];
  const { debugPort, healthPort } = await ports(child, said);
  const address = `127.0.0.1:${debugPort}`;
  const client = new (loadAgent().Agent)(address, credentials.createInsecure());
  return {
    client,
    healthPort,
    address,
    pid: child.pid ?? 0,
    said,
    async end(signal) {
      client.close();
      child.kill(signal);
      return exited;
    },
  };
}

/** Runs until it ends by itself. */
export async function runProcess(argv: readonly string[]): Promise<{ code: unknown; stderr: string }> {
  const child = launch(argv);
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  return { code: await ended(child), stderr };
}

function launch(argv: readonly string[], through: readonly string[] = []): ChildProcess {
  const [program = '', ...rest] = [...through, process.execPath, main, ...argv];
  return spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
  });
}

async function ended(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  const [code, signal] = await once(child, 'exit');
  return code ?? signal;
}

function ports(child: ChildProcess, said: string[]): Promise<z.infer<typeof started>> {
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface(stream).on('line', (line) => {
        said.push(line);
        const parsed = line.startsWith('{') ? started.safeParse(JSON.parse(line)) : undefined;
        if (parsed?.success) resolve(parsed.data);
      });
    }
    child.once('exit', () => reject(new Error(`the agent has ended: ${said.join('\n')}`)));
  });
}
