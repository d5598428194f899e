// What a step is aimed at in the state that the reference is in. Most steps go where they come to something: a random
// tab or grant would mostly be one that is over.
import type { Grant, Model, Tab } from './sign-in-model.ts'
import {
  existing,
  type GrantStep,
  LATEST_MS,
  MOST_TABS,
  MOST_WRONG_PASSWORDS,
  newest,
  type Step,
  type TabStep,
} from './sign-in-steps.ts'

type State = Pick<Model, 'login' | 'tabs' | 'grants' | 'nowMs' | 'wrongPasswords'>

/** The index of a tab or grant, or any number for a step that needs none; undefined when it cannot be taken now. */
export function target(model: State, step: Step): number | undefined {
  switch (step.do) {
    case 'wait':
      return model.nowMs < LATEST_MS ? 0 : undefined
    case 'authorize':
      return model.tabs.filter(({ browser }) => browser === step.browser).length < MOST_TABS ? 0 : undefined
    case 'answer':
    case 'upstream':
    case 'callback':
      return aimed(
        model.tabs,
        step,
        (tab) => isOpenTo(tab, step, model),
        ({ stage }) => stage === (step.do === 'answer' ? 'consent' : 'upstream'),
      )
    case 'redeem':
      return aimed(
        model.grants,
        step,
        () => true,
        ({ pairs }) => pairs.length === 0,
      )
    default:
      return aimed(
        model.grants,
        step,
        ({ pairs }) => pairs.length > 0,
        ({ isGone }) => !isGone,
      )
  }
}

function aimed<T extends Tab | Grant>(
  list: readonly T[],
  step: TabStep | GrantStep,
  isPossible: (item: T) => boolean,
  isFitting: (item: T) => boolean,
): number | undefined {
  const indices = [...list.keys()].filter((index) => {
    const item = existing(list[index])
    return isPossible(item) && (step.any || isFitting(item))
  })
  return newest(indices, step.back)
}

/** Whether there is such a button, link or answer. */
function isOpenTo({ wasSent, answers, page }: Tab, step: TabStep, { login, wrongPasswords }: State): boolean {
  if (step.do === 'upstream') return wasSent
  if (step.do === 'callback') return answers.length > 0
  if (step.press === 'switch') return login === 'users' && page.subject !== undefined
  if (step.press === 'relink') return page.hasAccount
  return (
    step.press !== 'wrong' || (page.asksPassword && (wrongPasswords[step.user] ?? 0) < MOST_WRONG_PASSWORDS)
  )
}
