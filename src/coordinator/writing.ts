// A write that may be sent again until its answer stands: where links broke under it, a storage was replaced, or the bucket's settings
// changed. Used by PUT, DELETE and retries. Decides what the rounds together come to; a round is `write-round.ts`. Invariant: it is called
// "not applied" only when its first and only round says so, and then its dot is never used.

import type { Directory } from '../core/membership/directory.ts'
import type { DotMint } from './dot-mint.ts'
import { type Plan, planAgain } from './plan.ts'
import type { Attempt, Started } from './put-base.ts'
import type { Reach } from './reach.ts'
import { type RoundParts, writeRound, type WriteRoundResult } from './write-round.ts'

export interface WritingParts extends RoundParts {
  readonly directory: () => Directory | null
  /** Empty when this node serves; else why not. */
  readonly notServing: () => string | null
  readonly mint: DotMint
  readonly hedgeMs: number
  /** The last home acknowledged a write, so many milliseconds after its answer. */
  readonly onEverywhere: (elapsedMs: number) => void
  /** Counts work that goes on behind an answer (stragglers, hints) until what is returned is called. */
  readonly underWay: () => () => void
}

export interface WriteResult {
  readonly result: WriteRoundResult
  /** The plan that the verdict is of. */
  readonly judgedBy: Plan
  /** Whether a home held something live that this write found there; null: some home's answer that would say so was lost with its link. */
  readonly heldLive: boolean | null
}

// Each further round needs one more storage to be replaced, or all links to break, right during the one before.
const ROUNDS_MAX = 3

export async function write(
  parts: WritingParts,
  reach: Reach,
  { plan: first, explanation }: Started,
  attempt: Attempt,
): Promise<WriteResult> {
  let plan = first
  const { underWay, hedgeMs, clock, onEverywhere } = parts
  const outgoing = {
    name: plan.name,
    view: attempt.view,
    intent: attempt.intent,
    durable: plan.settings.durability === 'durable',
  }
  const reached = reach.enough(plan, plan.w)
  if (reached) await reached
  // Too few in reach even now: better said at once, with nothing sent, than left half done.
  const hopeless = reached !== undefined && !reach.isEnough(plan, plan.w)
  let heldLive: boolean | null = null
  const newTo: string[] = []
  for (let round = 1; ; round++) {
    const { homes, fallbacks, w: required, sloppy, deadlineAt } = plan
    const terms = { homes, fallbacks, required, sloppy, deadlineAt, hedgeMs, nothingToSend: hopeless }
    const digest = parts.directory()?.membersDigest
    let answeredAt: number | null = null
    const goesOn = underWay()
    const settled = (everywhere: boolean): void => {
      goesOn()
      if (everywhere) onEverywhere(answeredAt === null ? 0 : clock.monotonic() - answeredAt)
    }
    const result = await writeRound(parts, outgoing, terms, explanation, settled)
    answeredAt = clock.monotonic()
    newTo.push(...result.newTo)
    heldLive = heldLive === true || heldLiveIn(result, newTo)
    // A storage was replaced meanwhile: what its predecessor acknowledged is gone with it. Or the bucket has other settings than this
    // node knew: W may be another. Every replica is asked again; those that hold the write say so at no cost.
    const again = planAgain(plan, parts.directory())
    const isCurrent = digest === parts.directory()?.membersDigest && again === plan
    const judgedBy = plan
    plan = again
    if (round < ROUNDS_MAX && isBrokenOff(result) && (await isBack(parts, reach, plan))) continue
    if (round === 1 && (isCurrent || result.verdict.state === 'lost')) {
      const { verdict } = result
      if (attempt.intent === 'client' && verdict.state === 'lost' && verdict.outcome === 'not-applied')
        parts.mint.burn(plan.name.partition, attempt.version.dot)
      return { result, judgedBy, heldLive }
    }
    if (isCurrent && result.verdict.state === 'met') return { result, judgedBy, heldLive }
    if (result.verdict.state === 'lost' || round === ROUNDS_MAX)
      return { result: { ...result, verdict: unknown(result.verdict) }, judgedBy, heldLive }
  }
}

/** Lost after a round that was met: whatever the last replies said, the write is somewhere. */
export function unknown({ counts }: WriteRoundResult['verdict']): WriteRoundResult['verdict'] {
  return { state: 'lost', counts, outcome: 'unknown', reason: null, reasons: [] }
}

/** Who hears of a write for the first time knows what else there was; who is asked once more has nothing to say. */
function heldLiveIn({ written, tally }: WriteRoundResult, newTo: readonly string[]): boolean | null {
  if (written.some((answer) => answer.heldLive)) return true
  const counted = tally.replicas.filter(({ state }) => state === 'acknowledged')
  return counted.length > 0 && counted.every(({ replica }) => newTo.includes(replica)) ? false : null
}

/** Nobody said no; links broke under it, or it was too late. */
function isBrokenOff({ verdict, tally }: WriteRoundResult): boolean {
  if (verdict.state !== 'lost' || verdict.outcome !== 'unknown' || verdict.reasons.length > 0) return false
  return tally.replicas.some(({ state }) => state === 'failed')
}

/** Links that broke are often back in a moment: whether enough are, in time. All may break at once, after a pause of this process. */
async function isBack({ clock, notServing }: WritingParts, reach: Reach, plan: Plan): Promise<boolean> {
  // Ended by this node itself, which has no time to wait.
  if (notServing() !== null) return false
  const back = reach.enough(plan, plan.w)
  if (back) await back
  return reach.isEnough(plan, plan.w) && clock.monotonic() < plan.deadlineAt
}
