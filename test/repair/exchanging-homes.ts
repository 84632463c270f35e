// Homes in memory that exchange with each other over function calls: anti-entropy's two sides and nothing between them.

import type { ReplyOf, Request } from '../../src/protocol/messages.ts'
import { QuorateError } from '../../src/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { AntiEntropy } from '../../src/repair/anti-entropy.ts'
import { ExchangeService } from '../../src/repair/exchange-service.ts'
import { ReportedClocks } from '../../src/repair/reported-clocks.ts'
import { fakePeers } from '../link/fake-peers.ts'
import { type MemoryHome, memoryHomes, STILL_CLOCK } from '../replica/memory-home.ts'

/** Stands still, but lets long work go on after each turn. */
const TURNING_CLOCK: Clock = {
  ...STILL_CLOCK,
  after: (_delayMs, callback) => {
    const handle = setImmediate(callback)
    return { cancel: () => clearImmediate(handle) }
  },
}

export interface ExchangingHome extends MemoryHome {
  readonly antiEntropy: AntiEntropy
  readonly exchange: ExchangeService
  readonly reported: ReportedClocks
  /** Called before this home answers. */
  onRequest: (request: Request) => Promise<void>
}

export async function exchangingHomes(names: readonly string[]): Promise<ExchangingHome[]> {
  const homes: ExchangingHome[] = []
  for (const home of await memoryHomes(names)) {
    const reported = new ReportedClocks()
    const { directory, storage, replica, indexes, filling } = home
    const parts = { clock: TURNING_CLOCK, directory: () => directory, storage, replica, indexes, reported }
    const from = { name: home.name, storage: home.storageId }
    const peers = fakePeers(async (member, request) => {
      const asked = homes.find(({ name }) => name === member)
      if (!asked) throw new QuorateError('unreachable', member)
      await asked.onRequest(request)
      return { reply: await answer(asked.exchange, from, request), storage: asked.storageId, time: 0 }
    })
    homes.push({
      ...home,
      reported,
      exchange: new ExchangeService(parts),
      antiEntropy: new AntiEntropy({ ...parts, peers, filling, budgetMs: 1000, pageBytes: 1 << 16 }),
      onRequest: () => Promise.resolve(),
    })
  }
  return homes
}

function answer(
  service: ExchangeService,
  from: { readonly name: string; readonly storage: string },
  request: Request,
): Promise<ReplyOf[keyof ReplyOf]> | ReplyOf[keyof ReplyOf] {
  if (request.type === 'compare') return service.compare(from, request)
  if (request.type === 'exchange') return service.exchange(from, request)
  if (request.type === 'tree') return service.tree(from, request)
  throw new Error(`not asked here: ${request.type}`)
}
