// What a crash leaves of a disk: all that was written (killed), part of the write that was under way, or what a power cut spares. Knows
// nothing of what is stored. Invariant: the same point and variant leave the same bytes.

import type { SeededRandom } from '../seeded-random.ts'
import type { SimulatedDisk } from '../simulated-disk.ts'
import type { Moment } from './points.ts'

interface Aftermath {
  /** The next start crashes too, in the same manner, at one of its own operations. */
  readonly twice: boolean
  leave(disk: SimulatedDisk, random: SeededRandom, operation: string): void
}

function none(): void {}

const powerCut: Aftermath = { twice: false, leave: (disk, random) => disk.powerCut(random) }
const anyOrder: Aftermath = { twice: false, leave: (disk, random) => disk.powerCut(random, true) }

const AFTERMATHS: ReadonlyMap<string, Aftermath> = new Map<string, Aftermath>([
  ['killed', { twice: false, leave: none }],
  ['killed-mid-write', { twice: false, leave: cutWrite }],
  ['killed-twice', { twice: true, leave: none }],
  ['power-least', { twice: false, leave: (disk) => disk.restore(disk.syncedImage()) }],
  ['power-1', powerCut],
  ['power-2', powerCut],
  ['power-3', powerCut],
  ['power-any-order-1', anyOrder],
  ['power-any-order-2', anyOrder],
  ['power-twice', { twice: true, leave: (disk, random) => disk.powerCut(random) }],
])

const WRITE = /^append(?:-synced)? (\d+) (.+)$/

export function variantsAt(operation: string, moment: Moment): readonly string[] {
  const cuts = moment === 'before' && WRITE.test(operation)
  return [...AFTERMATHS.keys()].filter((name) => cuts || name !== 'killed-mid-write')
}

export function aftermathOf(variant: string): Aftermath {
  const aftermath = AFTERMATHS.get(variant)
  if (!aftermath) throw new RangeError(`no variant ${variant}; there are: ${[...AFTERMATHS.keys()].join(', ')}`)
  return aftermath
}

/** SIGKILL may come between two pages of one write; what room was made ahead of a log then follows as zeros. */
function cutWrite(disk: SimulatedDisk, random: SeededRandom, operation: string): void {
  const [, length = '0', name = ''] = WRITE.exec(operation) ?? []
  const image = new Map(disk.snapshot())
  const bytes = image.get(name)
  if (!bytes) return
  const before = bytes.length - Number(length)
  const kept = bytes.subarray(0, before + random.integer(0, Number(length)))
  const hasRoom = operation.startsWith('append-synced') && before > 0
  image.set(name, Buffer.concat([kept, Buffer.alloc(hasRoom ? random.pick([0, 0, 300]) : 0)]))
  disk.restore(image)
}
