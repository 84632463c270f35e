// Random schedules for the naive model: what may happen to three homes, their clients and the messages between them, in any order.
// A step that makes no sense when it comes does nothing, so that schedules shrink freely.

import fc from 'fast-check'

export type Step =
  | {
      readonly op: 'put' | 'delete'
      readonly key: number
      readonly life: number
      readonly session: number
      readonly homes: number
    }
  | { readonly op: 'deliver' | 'duplicate' | 'lose'; readonly at: number }
  | { readonly op: 'read'; readonly key: number; readonly first: number; readonly second: number }
  | { readonly op: 'begin-read'; readonly key: number; readonly home: number }
  | { readonly op: 'end-read'; readonly at: number; readonly home: number }
  | { readonly op: 'ask-snapshot'; readonly from: number; readonly to: number }
  | { readonly op: 'take-snapshot'; readonly at: number; readonly again: boolean }
  /** No such home: all of them. */
  | { readonly op: 'report'; readonly home: number }
  | { readonly op: 'wipe'; readonly home: number }
  | { readonly op: 'tend'; readonly home: number; readonly key: number }
  | { readonly op: 'damage'; readonly home: number; readonly keys: number }

const home = fc.nat(2)
const at = fc.nat(30)

/** How often what happens, beside writes and deliveries. */
export interface Weights {
  readonly delete: number
  readonly collect: number
  readonly exchange: number
  readonly fault: number
  readonly read: number
}

export const EVERYTHING: Weights = { delete: 3, collect: 4, exchange: 4, fault: 1, read: 4 }
export const DELETIONS: Weights = { delete: 6, collect: 8, exchange: 0, fault: 0, read: 2 }
export const LOST_DISKS: Weights = { delete: 0, collect: 0, exchange: 8, fault: 3, read: 4 }

export function steps(weights: Weights, keys = 2): fc.Arbitrary<Step[]> {
  const key = fc.nat(keys - 1)
  const write = { key, life: fc.nat(2), session: fc.integer({ min: -2, max: 3 }), homes: fc.nat(7) }
  const of = (weight: number, arbitrary: fc.Arbitrary<Step>): { weight: number; arbitrary: fc.Arbitrary<Step> } => ({
    weight,
    arbitrary,
  })
  const step = fc.oneof(
    of(6, fc.record({ op: fc.constant('put' as const), ...write })),
    of(weights.delete, fc.record({ op: fc.constant('delete' as const), ...write })),
    of(6, fc.record({ op: fc.constantFrom('deliver' as const, 'deliver' as const, 'duplicate' as const), at })),
    of(1, fc.record({ op: fc.constant('lose' as const), at })),
    of(weights.read, fc.record({ op: fc.constant('read' as const), key, first: home, second: home })),
    of(2, fc.record({ op: fc.constant('begin-read' as const), key, home })),
    of(2, fc.record({ op: fc.constant('end-read' as const), at, home })),
    of(weights.exchange, fc.record({ op: fc.constant('ask-snapshot' as const), from: home, to: home })),
    of(weights.exchange, fc.record({ op: fc.constant('take-snapshot' as const), at, again: fc.boolean() })),
    of(weights.collect, fc.record({ op: fc.constant('report' as const), home: fc.nat(5) })),
    of(weights.collect, fc.record({ op: fc.constant('tend' as const), home, key })),
    of(weights.fault, fc.record({ op: fc.constant('wipe' as const), home })),
    of(weights.fault, fc.record({ op: fc.constant('damage' as const), home, keys: fc.nat(3) })),
  )
  return fc.array(step, { minLength: 4, maxLength: 60, size: 'max' })
}
