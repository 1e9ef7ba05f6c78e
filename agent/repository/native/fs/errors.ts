import { RepositoryError, type RepositoryErrorReason } from '../../repository.ts';

/** The symbolic errno of a system error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  const code = codeOf(error);
  return code !== undefined && codes.includes(code);
}

const REASONS: Record<string, [RepositoryErrorReason, string]> = {
  ENOSPC: ['VolumeFull', 'the volume is full: delete files or snapshots, or raise spec.storage'],
  EDQUOT: ['VolumeFull', 'the quota of the volume is used up: delete files or snapshots, or raise it'],
  E2BIG: [
    'InvalidArgument',
    'the volume has room, but its filesystem none for so many attributes of one file: remove some of them (setfattr -x), ' +
      'or use a filesystem that takes more, such as XFS',
  ],
  EROFS: ['ReadOnlyVolume', 'the volume is mounted read-only: mount it writable in the agent'],
  EACCES: [
    'PermissionDenied',
    'the agent may not do this as its user: run it as the owner of the files (annotation jvs.io/agent-run-as)',
  ],
  EPERM: [
    'PermissionDenied',
    'the agent may not do this as its user: run it as the owner of the files (annotation jvs.io/agent-run-as)',
  ],
};

/** `doing` says what failed, as in "snapshot of main". Errors of the repository itself pass unchanged. */
export function asRepositoryError(error: unknown, doing: string): RepositoryError {
  if (error instanceof RepositoryError) return error;
  const [reason, advice] = REASONS[codeOf(error) ?? ''] ?? ['Internal', undefined];
  const detail = error instanceof Error ? error.message : String(error);
  return new RepositoryError(reason, `${doing}: ${advice ? `${advice} (${detail})` : detail}`, {
    cause: error,
  });
}
