// The Snapshot resource: the one source of its types, its parser, its CustomResourceDefinition and its reference.
import * as z from 'zod';
import { defineResource, type ObjectMeta } from '../runtime/types.ts';
import { conditionsSchema } from './conditions.ts';
import type { Definition } from './crd.ts';
import { apiVersion, parseResource } from './parse.ts';
import {
  engine,
  immutable,
  int32,
  int64,
  objectName,
  pathSegment,
  progress,
  rules,
  set,
  snapshotId,
  string,
  template,
  text,
  time,
  userTag,
  worktreeName,
} from './schema.ts';

const noteBytes = 32 * 1024;

const pathInWorktree = text(
  `^${pathSegment()}(/${pathSegment()})*$`,
  'must be a path below the worktree such as models/v2, without / at its ends and without . and .. in it',
  1024,
);

export const snapshotSpecSchema = z
  .object({
    workspace: objectName.meta({ description: 'Name of the Workspace in this namespace.' }),
    note: string(noteBytes)
      .refine((note) => Buffer.byteLength(note) <= noteBytes, 'must be at most 32 KiB long')
      .optional()
      .meta({
        description: 'What the snapshot is, in your words.',
        ...rules({ rule: `size(bytes(self)) <= ${noteBytes}`, message: 'must be at most 32 KiB long' }),
      }),
    tags: set(userTag, 64).optional().meta({ description: 'Tags of the snapshot on the volume.' }),
    template: template.optional().meta({
      description:
        'Adds tags: pre-experiment (experiment, checkpoint), pre-deploy (pre-deploy, release), checkpoint (checkpoint), work (wip), release (release, stable), archive (archive; and gzip of level 9, unless compression says otherwise).',
    }),
    compression: z
      .object({
        type: z.enum(['gzip', 'zstd', 'none']).meta({ description: 'Algorithm.' }),
        level: int32(0, 9).optional().meta({
          description:
            'From 0, the fastest, to 9, the smallest; 6 of gzip and 3 of zstd where it is not set.',
        }),
      })
      .optional()
      .meta({ description: 'Compression of the files; they are stored as they are where it is not set.' }),
    partialPaths: z
      .array(pathInWorktree)
      .min(1)
      .max(64)
      .optional()
      .meta({ description: 'Only these paths of the worktree.' }),
    engine: engine
      .optional()
      .meta({ description: "How the snapshot is made; the Workspace's defaultEngine where it is not set." }),
    sourceSnapshot: objectName.optional().meta({
      description:
        "The expected parent, as the name of a Snapshot in this namespace or the id of a snapshot on the volume. When the worktree's head is another, the Snapshot fails and says which.",
    }),
    restoreOnCreate: z
      .boolean()
      .default(false)
      .meta({ description: 'Makes a worktree of the snapshot as soon as it is Ready.' }),
    restoreWorktree: worktreeName.optional().meta({
      description:
        'Name of the worktree that restoreOnCreate makes; the name of this object where it is not set.',
    }),
    snapshotID: snapshotId.optional().meta({
      description:
        'Id of a snapshot that is on the volume already. Then this object shows that one and none is taken; note, tags and worktree say nothing new. The operator makes such objects, named after workspace and id, for snapshots that were not asked for by a Snapshot: of the schedule, by the workload, by hand. Its deletionPolicy is Retain: deleting one leaves the data where it is, and the operator makes it again; set Delete first to delete the data. Make one yourself, under another name, to show and pin a snapshot that is too old to be shown.',
    }),
    worktree: worktreeName.default('main').meta({ description: 'Worktree that the snapshot is taken of.' }),
    pinned: z.boolean().default(false).meta({
      description: 'Keeps the snapshot from being pruned, and this object from going. May be changed.',
    }),
    deletionPolicy: z.enum(['Delete', 'Retain']).default('Delete').meta({
      description:
        'What becomes of the snapshot on the volume when this object is deleted: Delete deletes it, also where a worktree came from it; with Retain it stays, and the operator makes an object for it again. It stays, too, when the Workspace or the namespace goes, and while another Snapshot stands for it. More than 10 deleted within a minute wait for annotation jvs.io/allow-mass-delete: "true" of the Workspace. May be changed, also of an object that is being deleted.',
    }),
  })
  .meta({
    description: 'What you want. Nothing but pinned and deletionPolicy can be changed later.',
    ...rules(
      ...immutable(
        [
          'workspace',
          'note',
          'tags',
          'template',
          'compression',
          'partialPaths',
          'engine',
          'sourceSnapshot',
          'snapshotID',
          'restoreOnCreate',
          'restoreWorktree',
          'worktree',
        ],
        'a snapshot is of one moment; make another Snapshot',
      ),
    ),
  });

export const snapshotStatusSchema = z
  .object({
    phase: z
      .enum(['Pending', 'InProgress', 'Ready', 'Failed', 'Expiring'])
      .meta({ description: 'Where it stands, in one word.' }),
    message: z.string().meta({ description: 'Why, and what to do about it.' }),
    observedGeneration: int64(0).meta({ description: 'The metadata.generation that this status is about.' }),
    snapshotID: z.string().meta({ description: 'Id of the snapshot on the volume.' }),
    parentID: z.string().meta({ description: 'Id of the snapshot before it in its worktree.' }),
    createdAt: time.meta({ description: 'When it was begun.' }),
    completedAt: time.meta({ description: 'When it was safe on the volume.' }),
    size: int64(0).meta({ description: 'Bytes in its files.' }),
    uniqueBytes: int64(0).meta({
      description: 'Bytes written for it, which it does not share with its parent.',
    }),
    integrityState: z
      .string()
      .meta({ description: 'Whether its files equal its hash: verified, tampered or unknown.' }),
    descriptorChecksum: z.string().meta({ description: 'SHA-256 of its descriptor.' }),
    consistency: z.string().meta({ description: 'quiesced, crash-consistent or changed-during-copy.' }),
    origin: z
      .string()
      .meta({ description: 'Who made it: manual, auto, self, discovered, pre-restore or final.' }),
    progress,
    restoreStatus: z
      .object({
        worktreeName: z.string().meta({ description: 'The worktree.' }),
        phase: z.string().meta({ description: 'Where it stands.' }),
        startedAt: time.meta({ description: 'When it began.' }),
        completedAt: time.meta({ description: 'When it was done.' }),
      })
      .partial()
      .meta({ description: 'What became of restoreOnCreate.' }),
    keepReasons: z.array(z.string()).meta({ description: 'Why retention keeps it.' }),
    verifiedAt: time.meta({
      description: 'When its files were last read and compared with its hash.',
    }),
    conditions: conditionsSchema,
  })
  .partial()
  .meta({ description: 'What is.' });

export const snapshotDefinition: Definition = {
  kind: 'Snapshot',
  plural: 'snapshots',
  singular: 'snapshot',
  shortNames: ['jvssnap'],
  description: 'A checkpoint of a worktree of a Workspace, on the same volume.',
  spec: snapshotSpecSchema,
  status: snapshotStatusSchema,
  columns: [
    { name: 'Workspace', type: 'string', jsonPath: '.spec.workspace' },
    { name: 'Status', type: 'string', jsonPath: '.status.phase' },
    { name: 'SnapshotID', type: 'string', jsonPath: '.status.snapshotID' },
    { name: 'Size', type: 'integer', jsonPath: '.status.size' },
    { name: 'Origin', type: 'string', jsonPath: '.status.origin' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
};

export type SnapshotSpec = z.infer<typeof snapshotSpecSchema>;
export type SnapshotStatus = z.infer<typeof snapshotStatusSchema>;

export interface Snapshot {
  apiVersion: typeof apiVersion;
  kind: 'Snapshot';
  metadata: ObjectMeta;
  spec: SnapshotSpec;
  status?: SnapshotStatus;
}

export const snapshots = defineResource<Snapshot>(apiVersion, 'Snapshot', 'snapshots');

const tagsOf = {
  'pre-experiment': ['experiment', 'checkpoint'],
  'pre-deploy': ['pre-deploy', 'release'],
  checkpoint: ['checkpoint'],
  work: ['wip'],
  release: ['release', 'stable'],
  archive: ['archive'],
} as const;

/** The tags that a template adds; none without one. */
export function templateTags(name: SnapshotSpec['template']): readonly string[] {
  return name ? tagsOf[name] : [];
}

/**
 * A Snapshot as the API server gives it, with the defaults filled in. A status that does not fit is dropped: it is
 * made anew.
 * @throws InvalidResource when the spec does not fit, with the path of each field
 */
export function parseSnapshot(object: unknown): Snapshot {
  return parseResource('Snapshot', snapshotSpecSchema, snapshotStatusSchema, object);
}
