// Opens and seals the contexts that clients carry in Quorate-Context. Decides the seal's scope; knows nothing of what a context
// does. Invariant: no two (cluster, bucket, key) have one scope, so a token never opens for another key.

import { type CausalContext, openContext, sealContext } from '../core/causality/context-token.ts'
import type { NodeApi } from '../node/api.ts'
import { notReady } from './failures.ts'
import { Refusal } from './problems.ts'

/** The bucket's length stands before it: neither part can be mistaken for the other, whatever bytes they hold. */
export function contextScope(clusterId: string, bucket: string, key: string): string {
  return `${clusterId}\n${bucket.length}:${bucket}\n${key}`
}

function scopeOf(node: NodeApi, bucket: string, key: string): string {
  if (node.clusterId === null) {
    const { detail, ...more } = notReady('the cluster is not formed yet')
    throw new Refusal('not-ready', detail, more)
  }
  return contextScope(node.clusterId, bucket, key)
}

/** Throws `Refusal` bad-context. */
export function openToken(node: NodeApi, bucket: string, key: string, token: string): CausalContext {
  const context = openContext(token, scopeOf(node, bucket, key), node.sealer)
  if (context === null) {
    throw new Refusal(
      'bad-context',
      'Quorate-Context must be what an answer on this very key carried, unaltered, at most 4 KiB',
    )
  }
  return context
}

/** Null: it does not fit in 4 KiB. */
export function sealToken(node: NodeApi, bucket: string, key: string, context: CausalContext): string | null {
  return sealContext(context, scopeOf(node, bucket, key), node.sealer)
}
