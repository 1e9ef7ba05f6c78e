// What no schema can say of a Workspace: whether its schedule ever runs, and in a zone that there is.
import * as z from 'zod';
import { validateSchedule } from '../../shared/cron.ts';
import { type AdmissionResponse, MalformedReview, type Reviewer } from './review.ts';

const scheduled = z.looseObject({
  spec: z
    .looseObject({
      autoSnapshot: z
        .looseObject({
          schedule: z.string().optional(),
          timeZone: z.string().default('UTC'),
        })
        .optional(),
    })
    .optional(),
});

const reviewSchema = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.object({ uid: z.string(), object: scheduled }),
});

/** Throws MalformedReview. */
export const reviewWorkspace: Reviewer = async (body) => {
  const parsed = reviewSchema.safeParse(body);
  if (!parsed.success) throw new MalformedReview(z.prettifyError(parsed.error), { cause: parsed.error });
  const { uid, object } = parsed.data.request;
  const { schedule, timeZone } = object.spec?.autoSnapshot ?? {};
  const problem = schedule === undefined ? undefined : validateSchedule(schedule, timeZone ?? 'UTC');
  const response: AdmissionResponse = problem
    ? {
        uid,
        allowed: false,
        status: { code: 422, reason: 'Invalid', message: `spec.autoSnapshot: ${problem}` },
      }
    : { uid, allowed: true };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
};
