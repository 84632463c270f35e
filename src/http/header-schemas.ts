// The request headers of a key, each as the one schema that both validates it and stands in the OpenAPI document. Knows nothing of
// what they cause. Invariant: a header whose text does not match its schema's pattern is refused, never guessed at.

import { Type, type TOptional, type TString } from 'typebox'
import { IDEMPOTENCY_KEY_MAX, OPERATION_TIMEOUT_MS, OPERATION_TIMEOUT_MS_MAX, TTL_SECONDS_MAX } from './limits.ts'

export type HeaderName =
  | 'quorate-r'
  | 'quorate-w'
  | 'quorate-sloppy'
  | 'quorate-timeout'
  | 'quorate-context'
  | 'quorate-ttl'
  | 'idempotency-key'
  | 'if-match'
  | 'if-none-match'
  | 'if-modified-since'
  | 'prefer'
  | 'traceparent'

const LEVEL = '^(?:one|quorum|all|-?[0-9]{1,15})$'
const TAGS = '^(?:\\*|[\\t ,]*(?:W/)?"[^"]*"[\\s\\S]*)$'

export const HEADERS: Readonly<Record<HeaderName, TOptional<TString>>> = {
  'quorate-r': header(LEVEL, 'Replicas that must answer a read: 1..N, `one`, `quorum`, `all`. Default: the bucket’s.'),
  'quorate-w': header(
    LEVEL,
    'Replicas that must acknowledge a write: 1..N, `one`, `quorum`, `all`. Default: the bucket’s.',
  ),
  'quorate-sloppy': header(
    '^\\?[01]$',
    '`?1`: healthy fallbacks may stand in for unreachable home replicas; `?0`: they may not.',
  ),
  'quorate-timeout': header(
    '^[1-9][0-9]{0,4}$',
    `Milliseconds for the whole operation, 1..${OPERATION_TIMEOUT_MS_MAX}. Default: ${OPERATION_TIMEOUT_MS}.`,
  ),
  'quorate-context': header(
    '^[A-Za-z0-9_-]{1,4096}$',
    'The causal context of an earlier answer on this key. On PUT and DELETE: what this write supersedes, or `latest`. On GET and HEAD: what the answer must include.',
  ),
  'quorate-ttl': header(
    '^[0-9]{1,12}(?:\\.[0-9]{1,3})?$',
    `Seconds until the version expires, more than 0, at most ${TTL_SECONDS_MAX}; three decimals.`,
  ),
  'idempotency-key': header(
    '^(?:[!#-+\\--\\[\\]-~]+|"(?:[ !#-\\[\\]-~]|\\\\["\\\\])+")$',
    `1..${IDEMPOTENCY_KEY_MAX} characters, quoted (RFC 9651 string) or bare. Within 24 h the same key is the same write.`,
  ),
  'if-match': header(TAGS, '`*` or entity tags: the write happens only over one of them. Weak tags never match.'),
  'if-none-match': header(
    TAGS,
    'PUT, DELETE: `*`, only where no live value is. GET, HEAD: `*` or entity tags, 304 where one holds.',
  ),
  'if-modified-since': Type.Optional(Type.String({ description: 'HTTP date; 304 when nothing was written since.' })),
  prefer: Type.Optional(
    Type.String({ description: '`return=representation`: the answer shows what is stored now (RFC 7240).' }),
  ),
  traceparent: Type.Optional(
    Type.String({ description: 'W3C Trace Context; taken over into logs and requests to peers.' }),
  ),
}

function header(pattern: string, description: string): TOptional<TString> {
  return Type.Optional(Type.String({ pattern, description }))
}

const patterns = new Map<string, RegExp>()
for (const [name, schema] of Object.entries(HEADERS)) {
  if ('pattern' in schema && typeof schema.pattern === 'string') patterns.set(name, new RegExp(schema.pattern))
}

/** Whether the text is what the header's schema allows. */
export function matchesSchema(name: HeaderName, text: string): boolean {
  return patterns.get(name)?.test(text) ?? true
}
