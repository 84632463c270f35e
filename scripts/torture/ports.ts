// Finds ports for a cluster on this machine, below the range from which the system takes ports of outgoing connections.
// Invariant: what is returned was free a moment ago; who loses a race for it sees the node's own message.

import { createServer } from 'node:net'

const HOST = '127.0.0.1'
const LOWEST = 20_000
const HIGHEST = 27_000

export interface PortPair {
  readonly client: number
  readonly peer: number
}

/** Node i has client port base + 10·i and the next one for its peers, like `quorate dev`. */
export async function freePorts(nodes: number): Promise<PortPair[]> {
  const base = await freeBasePort(nodes)
  return Array.from({ length: nodes }, (_, index) => ({ client: base + 10 * index, peer: base + 10 * index + 1 }))
}

export async function freeBasePort(nodes: number): Promise<number> {
  const span = 10 * nodes
  const places = Math.floor((HIGHEST - LOWEST) / span)
  // Several suites look at the same time: each begins elsewhere.
  const first = Math.floor(Math.random() * places)
  for (let place = 0; place < places; place++) {
    const base = LOWEST + ((first + place) % places) * span
    const wanted = Array.from({ length: nodes }, (_, index) => [base + 10 * index, base + 10 * index + 1]).flat()
    if ((await Promise.all(wanted.map(isFree))).every(Boolean)) return base
  }
  throw new Error(`no free ports for ${nodes} nodes between ${LOWEST} and ${HIGHEST}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => done(true)))
  })
}
