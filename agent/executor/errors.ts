// Why the executor refuses an operation before it begins.

/** Only the primary of several agents on one volume changes it. */
export class NotPrimary extends Error {
  override readonly name = 'NotPrimary';

  constructor() {
    super(
      'This pod is a standby: of several pods on one volume only the primary changes it. ' +
        "Ask the Workspace's primary pod (status.agent.pod), or create a Snapshot or Restore resource",
    );
  }
}

/** A container of the pod has made more of something than may be there. */
export class TooMany extends Error {
  override readonly name = 'TooMany';
}

/** More callers wait than it makes sense to keep waiting. */
export class QueueFull extends Error {
  override readonly name = 'QueueFull';
}
