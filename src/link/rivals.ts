// Where two links to one member are open: which one stays. Knows nothing of what becomes of the other.
// Invariant: both ends choose the same one, each from what both said in their hellos.

import { connectionNumberOf, incarnationOf } from './handshake.ts'
import type { PeerLink } from './peer-link.ts'

/** Whether a link that was opened just now takes the place of the one that is used; `here`: this node's name. */
export function isPreferred(link: PeerLink, rival: PeerLink, here: string): boolean {
  const [peer, before] = [link.peer, rival.peer]
  if (peer === null || before === null || !rival.fresh) return true
  // Another run of the peer's process: what is left of the old one is only a socket.
  if (incarnationOf(peer) !== incarnationOf(before)) return true
  // Begun twice by the same side: it must have lost the first, or tried two addresses.
  const [begun, begunBefore] = [link.initiatorHello, rival.initiatorHello]
  if (link.role === rival.role && begun !== null && begunBefore !== null) {
    return connectionNumberOf(begun) > connectionNumberOf(begunBefore)
  }
  // Begun by both at the same time: the one that the smaller name began.
  return (link.role === 'initiator') === here < peer.name
}
