// What clients asked and got, in a few words: for traces, stories, and the hash over all events. Pure.

import type { Dot } from '../core/causality/dot.ts'
import type { Version } from '../core/causality/version.ts'
import type { CausalContext } from '../core/causality/context-token.ts'
import type {
  DeleteOptions,
  DeleteOutcome,
  GetOptions,
  GetOutcome,
  ListOutcome,
  PutOptions,
  PutOutcome,
  Receipt,
} from '../coordinator/operations.ts'

/** Enough to tell lives apart. */
const LIFE_DIGITS = 4

export function describeOptions(options: PutOptions | GetOptions | DeleteOptions): string {
  const words: string[] = []
  const { context } = options
  if (context !== undefined) words.push(context === 'latest' ? 'on latest' : `on ${context.seen.toString()}`)
  if ('precondition' in options && options.precondition) words.push(`if ${options.precondition.type}`)
  if ('idempotencyKey' in options && options.idempotencyKey !== undefined) words.push('idempotent')
  if ('ttlMs' in options && options.ttlMs !== undefined) words.push(`for ${options.ttlMs} ms`)
  if (options.r !== undefined) words.push(`r=${options.r}`)
  if (options.w !== undefined) words.push(`w=${options.w}`)
  if (options.sloppy !== undefined) words.push(options.sloppy ? 'sloppy' : 'not sloppy')
  return words.map((word) => ` ${word}`).join('')
}

export function describeOutcome(outcome: PutOutcome | GetOutcome | DeleteOutcome | ListOutcome | null): string {
  if (outcome === null) return 'no answer'
  switch (outcome.type) {
    case 'found':
      return `found ${outcome.versions.map(describeVersion).join(' and ')}${knowing(outcome.context)}${receiptOf(outcome)}`
    case 'not-found':
      return `not found${knowing(outcome.context)}${receiptOf(outcome)}`
    case 'stored':
      return `${outcome.created ? 'created' : 'replaced'} as ${describeDot(outcome.version)}, siblings ${outcome.siblings}${knowing(outcome.context)}${receiptOf(outcome)}`
    case 'deleted':
      return `deleted${outcome.version ? ` as ${describeDot(outcome.version)}` : ' nothing'}${knowing(outcome.context)}${receiptOf(outcome)}`
    case 'page':
      return `${outcome.keys.join(' ')}${outcome.more ? ' …' : ''}`
    case 'quorum-not-met': {
      const { required, acknowledged, type } = outcome
      if (!('replicas' in outcome)) return `${type}: ${acknowledged} of ${required}`
      const answers = outcome.replicas.map(({ node, answer }) => `${node} ${answer}`).join(', ')
      return `${type}: ${acknowledged} of ${required}, ${outcome.outcome}; ${answers}`
    }
    default:
      // Other failures hold no bytes and no contexts.
      return JSON.stringify(outcome, (name, value: unknown) => (name === 'explain' ? undefined : value))
  }
}

function describeDot({ life, counter }: Dot): string {
  return `${life.slice(0, LIFE_DIGITS)}:${counter}`
}

export function describeVersion({ dot, content, deadlineMs }: Version): string {
  if (content === null) return `deletion (${describeDot(dot)})`
  const write = content.meta.find(([name]) => name === 'write')?.[1] ?? '?'
  return `${write} (${describeDot(dot)}, ${content.bytes.length} bytes${deadlineMs === null ? '' : `, until ${deadlineMs}`})`
}

function knowing(context: CausalContext | null): string {
  if (context === null) return ''
  return `, knows ${context.seen.toString()}`
}

function receiptOf({ receipt }: { readonly receipt: Receipt }): string {
  const { guarantee, replied, required, n, hinted, durable } = receipt
  return `; ${guarantee}, ${replied} of ${n} (${required} asked${hinted > 0 ? `, ${hinted} hinted` : ''}${durable > 0 ? `, ${durable} durable` : ''})`
}

export function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' | ') : String(error)
}
