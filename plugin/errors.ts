// What goes wrong, in a line that says what to do.
import { printable } from './render/table.ts';

/** `hint`: what to do about it, where the message does not say. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
  readonly hint: string;

  constructor(message: string, hint = '', options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** The API server's answer was an error. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** No answer from the API server. Has the `cause`. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** An object is not there; else it is the kind of objects that the server does not know. */
export function isNamedNotFound(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status === 404 && /" not found$/.test(error.message);
}

/** For stderr. */
export function explain(error: unknown): string {
  const { message, hint } = told(error);
  return printable(`${message.trim()}${hint ? ` (${hint})` : ''}`.replace(/\s*\n\s*/g, ' '));
}

function told(error: unknown): { message: string; hint?: string } {
  if (error instanceof PluginError) return error;
  if (error instanceof Unreachable) {
    return {
      message: error.message,
      hint: 'does kubectl get namespaces work? --context and --kubeconfig choose another cluster',
    };
  }
  if (error instanceof ApiError) return { message: error.message, ...hintOf(error) };
  return { message: error instanceof Error ? error.message : String(error) };
}

function hintOf(error: ApiError): { hint?: string } {
  const { status } = error;
  if (status === 401) return { hint: 'log in again: the cluster does not know you' };
  if (status === 403) return { hint: 'ask who runs the cluster for a role that allows it' };
  if (status === 404 && !isNamedNotFound(error)) {
    return { hint: 'this cluster has no JVS operator, or an older one: kubectl apply -k config/default' };
  }
  return {};
}
