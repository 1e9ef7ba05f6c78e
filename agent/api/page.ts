// Pages of the list of snapshots, newest first. A page token names the last snapshot of its page, so that snapshots made
// or deleted between two calls neither repeat nor hide others.
import { status } from '@grpc/grpc-js';
import * as z from 'zod/mini';
import type { ListSnapshotsRequest } from '../../shared/proto/gen/jvs/agent/v1/ListSnapshotsRequest.ts';
import type { Descriptor } from '../repository/repository.ts';
import { wireSizeBound } from '../snapshot.ts';
import { ApiError } from './errors.ts';

const sizes = { unsaid: 100, most: 1000 };
/** Clients take 4 MiB a message if nobody told them otherwise. */
const pageBytes = 3 * 1024 * 1024;

const tokenSchema = z.object({ after: z.string(), worktree: z.string(), tag: z.string() });
type Token = z.infer<typeof tokenSchema>;

export interface Page {
  snapshots: Descriptor[];
  /** Empty on the last page. */
  nextPageToken: string;
  totalSize: number;
}

/** @throws ApiError INVALID_ARGUMENT */
export function pageOf(all: readonly Descriptor[], request: ListSnapshotsRequest, bytes = pageBytes): Page {
  const { pageSize, pageToken, worktree, tag } = request;
  if (pageSize < 0) throw new ApiError(status.INVALID_ARGUMENT, 'page_size must not be negative');
  const after = pageToken ? decode(pageToken, { worktree, tag }).after : undefined;

  // Ids begin with the time they were made at: their order is total, and that of age.
  const matching = all
    .filter(
      ({ worktree_name, tags }) =>
        (!worktree || worktree_name === worktree) && (!tag || (tags ?? []).includes(tag)),
    )
    .sort((a, b) => (a.snapshot_id < b.snapshot_id ? 1 : -1));
  const rest = after === undefined ? matching : matching.filter(({ snapshot_id }) => snapshot_id < after);

  const snapshots: Descriptor[] = [];
  let room = bytes;
  for (const descriptor of rest.slice(0, Math.min(pageSize || sizes.unsaid, sizes.most))) {
    room -= wireSizeBound(descriptor);
    if (snapshots.length && room < 0) break;
    snapshots.push(descriptor);
  }
  const last = snapshots.at(-1);
  const more = last !== undefined && snapshots.length < rest.length;
  return {
    snapshots,
    nextPageToken: more ? encode({ after: last.snapshot_id, worktree, tag }) : '',
    totalSize: matching.length,
  };
}

const encode = (token: Token) => Buffer.from(JSON.stringify(token)).toString('base64url');

function decode(text: string, { worktree, tag }: Omit<Token, 'after'>): Token {
  try {
    const token = tokenSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
    if (token.worktree === worktree && token.tag === tag) return token;
  } catch {
    // told below
  }
  throw new ApiError(
    status.INVALID_ARGUMENT,
    'page_token must be the next_page_token of a list with the same worktree and tag; leave it empty to start again',
  );
}
