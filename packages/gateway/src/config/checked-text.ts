import * as z from 'zod';
import type { Complaint } from './fault.ts';

/** A string with a rule of ours; the remedy travels in the issue's `params`. */
export function text(check: (value: string) => Complaint | undefined) {
  return z.string().superRefine((value, context) => {
    const complaint = check(value);
    if (complaint === undefined) return;
    context.addIssue({ code: 'custom', message: complaint.problem, params: { remedy: complaint.remedy } });
  });
}
