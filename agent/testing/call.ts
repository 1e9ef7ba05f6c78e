import type { ServiceError } from '@grpc/grpc-js';

/** A unary call as a promise: `await call(client.getStatus.bind(client), {})`. */
export function call<Request, Response>(
  method: (request: Request, callback: (error: ServiceError | null, response?: Response) => void) => unknown,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method(request, (error, response) => (error ? reject(error) : resolve(response as Response)));
  });
}
