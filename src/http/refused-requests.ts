// Requests that fail before any coordinator sees them: which problem fastify's own errors are, and the receipt of a key request
// that was refused. Invariant: such a receipt claims nothing: nobody was asked, nobody answered.

import type { NodeApi } from '../node/api.ts'
import { areNames, type KeyParams } from './key-target.ts'
import type { Problem, ProblemCode } from './problems.ts'
import { formatReceipt } from './receipt.ts'

/** Null: not one of fastify's. */
export function problemOfFastifyError(error: unknown, bodyBytesMax: number): Problem | null {
  if (!(error instanceof Error)) return null
  const code: unknown = Reflect.get(error, 'code')
  const status: unknown = Reflect.get(error, 'statusCode')
  switch (code) {
    case 'FST_ERR_BAD_URL':
      return { code: 'bad-url', detail: 'the path is not valid percent-encoded UTF-8' }
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return { code: 'key-too-long', detail: 'a part of the path is too long' }
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { code: 'value-too-large', detail: `the body is longer than ${bodyBytesMax} bytes` }
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return { code: 'unsupported-media-type', detail: 'send application/json' }
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return { code: 'bad-body', detail: 'the body is not JSON' }
    default:
      // What is left with a 4xx came from reading the body: cut off, or not as long as announced.
      if (typeof status === 'number' && status >= 400 && status < 500)
        return { code: 'bad-body', detail: error.message }
      return null
  }
}

/** After which the node may not be able to tell where a key would live. */
const BLIND: readonly ProblemCode[] = ['not-ready', 'internal']

/** `names` null: of a key, but it cannot be said which. */
export function refusalReceipt(node: NodeApi, names: KeyParams | null, code: ProblemCode): string {
  if (names === null || BLIND.includes(code) || !areNames(names) || !node.readiness().ready) return emptyReceipt(node)
  const { bucket, key } = names
  const n = Math.min(node.getBucket(bucket).settings.n, node.cluster().members.length)
  const { ring } = node.place(bucket, key)
  return formatReceipt({
    n,
    required: 0,
    replied: 0,
    hinted: 0,
    durable: 0,
    guarantee: 'eventual',
    node: node.name,
    ring,
  })
}

/** Where nothing is known, not even the key's homes. */
export function emptyReceipt({ name }: NodeApi): string {
  const nothing = { n: 0, required: 0, replied: 0, hinted: 0, durable: 0 }
  return formatReceipt({ ...nothing, guarantee: 'eventual', node: name, ring: 0 })
}
