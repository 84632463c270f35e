// Opens and seals the contexts that clients carry in Quorate-Context. Decides what a context that does not open is answered with;
// knows nothing of what a context does. A token never opens for another cluster, bucket or key: the node's sealer sees to that.

import { type CausalContext, openContext, sealContext } from '../core/causality/context-token.ts'
import type { NodeApi } from '../node/api.ts'
import { notReady } from './failures.ts'
import { Refusal } from './problems.ts'

/** Without a cluster id there is no key to seal with. */
function requireFormed(node: NodeApi): void {
  if (node.clusterId !== null) return
  const { detail, ...more } = notReady('the cluster is not formed yet')
  throw new Refusal('not-ready', detail, more)
}

/** Throws `Refusal` bad-context. */
export function openToken(node: NodeApi, bucket: string, key: string, token: string): CausalContext {
  requireFormed(node)
  const context = openContext(token, bucket, key, node.sealer)
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
  requireFormed(node)
  return sealContext(context, bucket, key, node.sealer)
}
