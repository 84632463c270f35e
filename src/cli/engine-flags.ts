// Settings of the JavaScript engine for a process that runs a node. Decides flags only, before the node is composed.

import { setFlagsFromString } from 'node:v8'

/**
 * V8 watches which allocations survive, and then makes all objects of such a place in the old generation. Here the same places make
 * what a key keeps and what one request needs: the garbage of requests then keeps more of it alive, young collections copy megabytes
 * instead of kilobytes, and take 30 ms instead of 2.
 */
export function tuneEngine(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}
