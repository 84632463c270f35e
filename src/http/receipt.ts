// How a receipt and an explanation look on the wire. Decides their order and spelling; knows nothing of how they came about.
// Invariant: the receipt's members and their order never change; new ones may only follow.

import type { ExplainEntry, Failure, Receipt } from '../coordinator/operations.ts'
import { EXPLAIN_BYTES_MAX } from './limits.ts'
import { sfList, sfParameterized, sfString } from './structured-fields.ts'

export function formatReceipt(receipt: Receipt): string {
  const { n, required, replied, hinted, durable, guarantee, node, ring, superseded } = receipt
  if (superseded !== undefined || (n | required | replied | hinted | durable) > 0xf) return receiptText(receipt)
  const kind = guarantee === 'strict' ? 0 : guarantee === 'sloppy' ? 1 : 2
  const numbers = (n << 18) | (required << 14) | (replied << 10) | (hinted << 6) | (durable << 2) | kind
  let known = texts.get(numbers)
  if (known === undefined || known.ring !== ring || known.node !== node) {
    if (texts.size >= TEXTS_MAX) texts.clear()
    known = { node, ring, text: receiptText(receipt) }
    texts.set(numbers, known)
  }
  return known.text
}

/** Receipts of one node are few: by their small numbers, four bits each, the text of the last one. */
const texts = new Map<number, { readonly node: string; readonly ring: number; readonly text: string }>()
const TEXTS_MAX = 256

function receiptText(receipt: Receipt): string {
  const { n, required, replied, hinted, durable, guarantee, node, ring, superseded } = receipt
  const text = `n=${n}, required=${required}, replied=${replied}, hinted=${hinted}, durable=${durable}, guarantee="${guarantee}", node=${sfString(node)}, ring=${ring}`
  return superseded === undefined ? text : `${text}, superseded=${superseded}`
}

/** One replica's part; `elapsedMs` null: it has not answered. */
export interface ToldEntry extends Omit<ExplainEntry, 'elapsedMs'> {
  readonly elapsedMs: number | null
}

const UNANSWERED: readonly string[] = ['in-flight', 'unreachable']

/** What was noted, and those of the failure's replicas of whom nothing could be: they have not answered. */
export function explained(
  noted: readonly ExplainEntry[],
  outcome: Failure | { readonly type: string },
  fallbacks: () => readonly string[],
): readonly ToldEntry[] {
  if (!('replicas' in outcome)) return noted
  const silent = outcome.replicas.filter(
    ({ node, answer }) =>
      UNANSWERED.includes(answer) && !noted.some((entry) => entry.node === node && entry.answer === answer),
  )
  if (silent.length === 0) return noted
  const standIns = fallbacks()
  return [
    ...noted,
    ...silent.map(({ node, answer }): ToldEntry => {
      const role = standIns.includes(node) ? 'fallback' : 'home'
      return { node, role, answer, versions: [], elapsedMs: null }
    }),
  ]
}

/** A list of replicas; versions leave first when all would exceed 4 KiB, then whole members from the end. Empty: no header. */
export function formatExplain(entries: readonly ToldEntry[]): string {
  const members = (versions: boolean): string[] =>
    entries.map((entry) =>
      sfParameterized(entry.node, {
        role: entry.role,
        answer: entry.answer,
        ...(versions && { versions: entry.versions.join(' ') }),
        ...(entry.elapsedMs !== null && { ms: Math.max(0, entry.elapsedMs) }),
      }),
    )
  const full = members(true)
  const length = full.reduce((sum, member) => sum + member.length + 2, 0)
  return sfList(length <= EXPLAIN_BYTES_MAX ? full : members(false), EXPLAIN_BYTES_MAX)
}
