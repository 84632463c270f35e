// Any well-formed frame, for laws about the codec.

import fc from 'fast-check'
import type { Arbitrary } from 'fast-check'
import type { Frame, Reply, Request } from '../../src/protocol/messages.ts'

const binary = fc.uint8Array({ maxLength: 40 })
const uint = fc.nat(0xffffffff)
const amount = fc.oneof(fc.nat(), fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }).map(Math.abs))
const label = fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => text.isWellFormed())
const bucket = label.filter((text) => text !== '')
const key = fc.oneof(bucket, fc.constant('ключ'.repeat(100)))
const hash = fc.bigInt(0n, 2n ** 64n - 1n).map((value) => value.toString(16).padStart(16, '0'))
const orNull = <T>(arbitrary: Arbitrary<T>): Arbitrary<T | null> => fc.option(arbitrary, { nil: null })

export const request: Arbitrary<Request> = fc.oneof(
  fc.record({
    type: fc.constant('write' as const),
    bucket,
    key,
    partition: uint,
    intent: fc.constantFrom('client' as const, 'repair' as const, 'handoff' as const),
    view: binary,
    hintFor: orNull(label),
    durable: fc.boolean(),
    membersDigest: label,
    settingsVersion: amount,
  }),
  fc.record({
    type: fc.constant('read' as const),
    bucket,
    key,
    partition: uint,
    expectDigest: orNull(label),
    mustInclude: orNull(binary),
    fallback: fc.boolean(),
    membersDigest: label,
    settingsVersion: amount,
  }),
  fc.record({
    type: fc.constant('list' as const),
    bucket,
    partition: uint,
    prefix: label,
    after: orNull(fc.record({ hash, key })),
    limit: uint,
  }),
  fc.record({ type: fc.constant('members' as const), table: binary }),
  fc.record({ type: fc.constant('settings' as const), settings: binary }),
  fc.record({ type: fc.constant('compare' as const), digest: label, entries: orNull(binary) }),
  fc.record({
    type: fc.constant('exchange' as const),
    partition: uint,
    clock: binary,
    filling: fc.boolean(),
    epoch: label,
    cursor: orNull(binary),
    bytesMax: uint,
    leaves: orNull(fc.array(uint, { maxLength: 20 })),
  }),
  fc.record({
    type: fc.constant('tree' as const),
    partition: uint,
    level: uint,
    nodes: fc.array(uint, { maxLength: 20 }),
  }),
  fc.record({ type: fc.constant('handoff' as const), pendingBytes: amount }),
)

export const reply: Arbitrary<Reply> = fc.oneof(
  fc.record({
    type: fc.constant('write' as const),
    outcome: fc.constantFrom('stored' as const, 'already' as const, 'hinted' as const),
    durable: fc.boolean(),
    heldLive: fc.boolean(),
    siblings: uint,
    context: orNull(binary),
    refusedDots: orNull(binary),
    filling: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('read' as const),
    digest: label,
    view: orNull(binary),
    missing: orNull(binary),
    filling: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('list' as const),
    filling: fc.boolean(),
    keys: fc.array(fc.record({ hash, key, digest: label, live: fc.boolean() }), { maxLength: 20 }),
    more: fc.boolean(),
  }),
  fc.record({ type: fc.constant('members' as const), table: binary }),
  fc.record({ type: fc.constant('settings' as const), settings: binary }),
  fc.record({ type: fc.constant('compare' as const), equal: fc.boolean(), differing: orNull(binary) }),
  fc.record({
    type: fc.constant('exchange' as const),
    epoch: label,
    records: fc.array(fc.record({ bucket, key, view: binary }), { maxLength: 20 }),
    next: orNull(binary),
    clock: orNull(binary),
    root: orNull(label),
    filling: fc.boolean(),
  }),
  fc.record({ type: fc.constant('tree' as const), digests: fc.array(label, { maxLength: 20 }) }),
  fc.record({ type: fc.constant('handoff' as const), bytesGranted: amount }),
  fc.record({
    type: fc.constant('refused' as const),
    reason: fc.constantFrom(
      'stale-members' as const,
      'stale-settings' as const,
      'not-home' as const,
      'too-many-siblings' as const,
      'idempotency-mismatch' as const,
      'clock-ahead' as const,
      'hints-full' as const,
      'storage-full' as const,
      'not-serving' as const,
    ),
    correction: orNull(binary),
  }),
)

export const frame: Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant('request' as const),
    id: uint,
    budgetMs: amount,
    time: amount,
    trace: orNull(label),
    request,
  }),
  fc.record({ type: fc.constant('reply' as const), id: uint, time: amount, reply }),
  fc.record({
    type: fc.constant('hello' as const),
    version: fc.nat(0xffff),
    name: bucket,
    to: orNull(label),
    storage: bucket,
    peerAddress: label,
    clientAddress: label,
    clusterId: orNull(label),
    clusterName: label,
    nonce: fc.uint8Array({ minLength: 16, maxLength: 64 }),
    table: binary,
    software: orNull(label),
  }),
  fc.record({ type: fc.constant('proof' as const), proof: binary }),
  fc.record({
    type: fc.constant('heartbeat' as const),
    sentAt: amount,
    echo: orNull(amount),
    wall: amount,
    time: amount,
    membersDigest: label,
    settingsDigest: label,
  }),
  fc.record({
    type: fc.constant('goodbye' as const),
    reason: fc.constantFrom(
      'closing' as const,
      'protocol' as const,
      'wrong-cluster' as const,
      'bad-secret' as const,
      'unknown-member' as const,
      'name-taken' as const,
      'replaced' as const,
      'wrong-peer' as const,
      'duplicate' as const,
    ),
    detail: label,
  }),
)
