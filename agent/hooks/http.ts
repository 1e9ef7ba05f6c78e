import { request } from 'node:http';

/** Of an answer that is no success, so much is told. */
const mostTold = 256;

/** A POST to this pod; resolves with an answer of 2xx. Follows no redirect: nothing leaves the pod. */
export function post({ port, path }: { port: number; path: string }, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // No agent, no proxy: one connection, closed after the answer.
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        agent: false,
        signal,
        headers: { 'content-length': 0 },
      },
      (answer) => {
        const { statusCode = 0 } = answer;
        if (statusCode >= 200 && statusCode < 300) {
          resolve();
          call.destroy();
          return;
        }
        let text = '';
        const refuse = () => {
          reject(new Error(`POST 127.0.0.1:${port}${path} was answered ${statusCode}${said(text)}`));
          call.destroy();
        };
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
          if (text.length >= mostTold) refuse();
        });
        // Not `end`: that never comes where the connection breaks off.
        answer.on('close', refuse);
      },
    );
    call.on('error', (cause) => {
      reject(
        Object.assign(new Error(`POST 127.0.0.1:${port}${path}: ${cause.message}`, { cause }), code(cause)),
      );
    });
    call.end();
  });
}

/** What it answered or printed, on one line. */
export function said(text: string): string {
  const line = text.slice(0, mostTold).replace(/\s+/g, ' ').trim();
  return line ? `: ${line}` : '';
}

const code = (error: NodeJS.ErrnoException) => ({ code: error.code });
