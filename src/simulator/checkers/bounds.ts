// G14: gauges that must stay within their bounds at every tick.

import type { World } from '../world.ts'

const PENDING_BYTES_MAX = 8 << 20
const CLOCK_INTERVALS_MAX = 2000

export function checkBounds(world: World): void {
  const { cluster, plan, violations } = world
  for (const { name, node, disk } of cluster.hosts) {
    const rooms = node?.rooms
    if (!rooms) continue
    const { hints, partitions } = { hints: rooms.storage.hints, partitions: rooms.storage.partitions() }
    // Hints of whose delivery only damaged bytes told are back: no more are taken until they are delivered again.
    if (hints.bytes > plan.hintBytesMax && disk.harms === 0)
      violations.add('G14', `${name} holds ${hints.bytes} bytes of hints, ${plan.hintBytesMax} are allowed`)
    // Checked before a client's write: one value may go beyond it, and repair must find its place.
    if (rooms.storage.stats.pendingBytes > PENDING_BYTES_MAX)
      violations.add('G14', `${name} has ${rooms.storage.stats.pendingBytes} bytes waiting for its disk`)
    for (const link of rooms.links.status()) {
      if (link.pendingBytes > PENDING_BYTES_MAX)
        violations.add('G14', `${name} has ${link.pendingBytes} bytes waiting for ${link.member}`)
      if (link.inFlight > 10_000) violations.add('G14', `${name} awaits ${link.inFlight} answers of ${link.member}`)
    }
    for (const partition of partitions) {
      const intervals = rooms.storage.clockOf(partition).intervalCount
      if (intervals > CLOCK_INTERVALS_MAX)
        violations.add('G14', `${name}'s clock of partition ${partition} has ${intervals} intervals`)
    }
  }
}
