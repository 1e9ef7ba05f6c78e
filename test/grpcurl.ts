// grpcurl against an agent's debug server, through the API server's port-forward.
import { type ChildProcess, spawn } from 'node:child_process';
import { output } from './cluster/process.ts';

export interface Forward extends AsyncDisposable {
  /** 127.0.0.1:port of this machine. */
  address: string;
}

/** `target`: pod/<name> or deploy/<name>. Ended by disposing it. */
export async function forwardAgent(target: string, namespace = 'default'): Promise<Forward> {
  const child = spawn('kubectl', ['-n', namespace, 'port-forward', target, ':7443'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const match = /127\.0\.0\.1:(\d+)/.exec(text);
      if (match?.[1]) resolve(match[1]);
    });
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`kubectl port-forward ${target} exited with ${code}`)));
  });
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: () => ended(child) };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill();
  await closed;
}

/** Services by name: `grpcurl list`. */
export const grpcList = async ({ address }: Forward): Promise<string[]> =>
  (await output('grpcurl', ['-plaintext', address, 'list'])).trim().split('\n');

type Agent = Pick<Forward, 'address'>;

/** A unary call; `method` as in Agent/GetStatus of jvs.agent.v1. @throws Error with the gRPC status */
export async function grpcCall<T>(agent: Agent, method: string, request: object = {}): Promise<T> {
  return JSON.parse(await answer(agent, method, request));
}

/** A call that is answered by a stream, to its end. @throws Error with the gRPC status */
export async function grpcStream<T>(agent: Agent, method: string, request: object = {}): Promise<T[]> {
  const messages = (await answer(agent, method, request)).trim();
  return JSON.parse(`[${messages.replaceAll(/^\}\n(?=\{)/gm, '},\n')}]`);
}

function answer({ address }: Agent, method: string, request: object): Promise<string> {
  const service = method.includes('.') ? method : `jvs.agent.v1.${method}`;
  return output('grpcurl', ['-plaintext', '-d', JSON.stringify(request), address, service]);
}
