// A plan from two texts, for those who have no analysis at hand.
import { analyse } from '../config/analyse.ts'
import { planChanges, withNumbers } from '../config/plan/plan.ts'
import type { Plan } from '../config/plan/types.ts'
import { bundleSchema } from '../config/schema.ts'
import { walkSchema } from '../config/schema-walk.ts'
import type { Numbers } from './protocol.ts'

export function planOfTexts(file: string, before: string, after: string, numbers: Numbers): Plan | undefined {
  const read = (text: string) => analyse({ file, text, folder: '.' })
  const plan = planChanges(read(before), read(after), walkSchema(bundleSchema()))
  return plan && withNumbers(plan, numbers)
}
