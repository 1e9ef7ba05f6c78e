// The Restore resource: the one source of its types, its parser, its CustomResourceDefinition and its reference.
import * as z from 'zod';
import { defineResource, type ObjectMeta } from '../runtime/types.ts';
import { conditionsSchema } from './conditions.ts';
import type { Definition } from './crd.ts';
import { apiVersion, parseResource } from './parse.ts';
import { immutable, int64, objectName, progress, rules, snapshotId, time, worktreeName } from './schema.ts';

const onlyOnce = 'a restore runs once; make another Restore';

export const restoreSpecSchema = z
  .object({
    workspace: objectName.meta({ description: 'Name of the Workspace in this namespace.' }),
    snapshot: objectName
      .optional()
      .meta({ description: 'Name of the Snapshot in this namespace; or give snapshotID.' }),
    snapshotID: snapshotId
      .optional()
      .meta({ description: 'Id of a snapshot on the volume; or give snapshot.' }),
    worktree: worktreeName.optional().meta({
      description:
        'Worktree that is brought back in place: open shells and mounts see the restored tree, and what is in no snapshot is lost. main where neither this nor newWorktree is set.',
    }),
    newWorktree: worktreeName.optional().meta({
      description: 'Makes this worktree of the snapshot instead, and leaves all others alone.',
    }),
    preRestoreSnapshot: z.boolean().default(true).meta({
      description:
        'Takes a snapshot of the worktree before it is replaced, so that the restore can be undone by another.',
    }),
    deletionPolicy: z.enum(['Retain', 'Delete']).default('Retain').meta({
      description:
        'Delete: the worktree that newWorktree made goes with this object, with everything in it that is in no snapshot. May be changed.',
    }),
  })
  .meta({
    description: 'What you want. Nothing but deletionPolicy can be changed later.',
    ...rules(
      ...immutable(
        ['workspace', 'snapshot', 'snapshotID', 'worktree', 'newWorktree', 'preRestoreSnapshot'],
        onlyOnce,
      ),
      {
        rule: 'has(self.snapshot) != has(self.snapshotID)',
        message: 'must have exactly one of snapshot and snapshotID',
      },
      {
        rule: '!has(self.worktree) || !has(self.newWorktree)',
        message: 'must have at most one of worktree and newWorktree',
      },
      {
        rule: "!has(self.newWorktree) || self.newWorktree != 'main'",
        message: 'must not be main, which is there: set worktree to restore it in place',
        fieldPath: '.newWorktree',
      },
    ),
  });

export const restoreStatusSchema = z
  .object({
    phase: z
      .enum(['Pending', 'InProgress', 'Completed', 'Failed'])
      .meta({ description: 'Where it stands, in one word.' }),
    message: z.string().meta({ description: 'Why, and what to do about it.' }),
    observedGeneration: int64(0).meta({ description: 'The metadata.generation that this status is about.' }),
    snapshotID: z.string().meta({ description: 'Id of the snapshot that is restored.' }),
    worktree: z.string().meta({ description: 'The worktree that was brought back or made.' }),
    preRestoreSnapshotID: z.string().meta({
      description: 'Id of the snapshot that was taken before: restore it to undo this one.',
    }),
    startedAt: time.meta({ description: 'When the agent began.' }),
    completedAt: time.meta({ description: 'When the whole tree was there.' }),
    progress,
    conditions: conditionsSchema,
  })
  .partial()
  .meta({ description: 'What is.' });

export const restoreDefinition: Definition = {
  kind: 'Restore',
  plural: 'restores',
  singular: 'restore',
  shortNames: ['jvsrestore'],
  description: 'Brings a worktree of a Workspace back to a snapshot, or makes a new one of it. Runs once.',
  spec: restoreSpecSchema,
  status: restoreStatusSchema,
  columns: [
    { name: 'Workspace', type: 'string', jsonPath: '.spec.workspace' },
    { name: 'Status', type: 'string', jsonPath: '.status.phase' },
    { name: 'SnapshotID', type: 'string', jsonPath: '.status.snapshotID' },
    { name: 'Worktree', type: 'string', jsonPath: '.status.worktree' },
    { name: 'Before', type: 'string', jsonPath: '.status.preRestoreSnapshotID', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
};

export type RestoreSpec = z.infer<typeof restoreSpecSchema>;
export type RestoreStatus = z.infer<typeof restoreStatusSchema>;

export interface Restore {
  apiVersion: typeof apiVersion;
  kind: 'Restore';
  metadata: ObjectMeta;
  spec: RestoreSpec;
  status?: RestoreStatus;
}

export const restores = defineResource<Restore>(apiVersion, 'Restore', 'restores');

/**
 * A Restore as the API server gives it, with the defaults filled in. A status that does not fit is dropped: it is made
 * anew.
 * @throws InvalidResource when the spec does not fit, with the path of each field
 */
export function parseRestore(object: unknown): Restore {
  return parseResource('Restore', restoreSpecSchema, restoreStatusSchema, object);
}
