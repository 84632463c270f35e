// A whole data directory through recovery, one of its files changed. A sample is the directory's files, one after the other: length of
// the name, name, length of the content (u32), content. Async, and slow beside the others: a few per cent of all executions.

import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import { QuorateError } from '../../../src/errors.ts'
import { SeededRandom } from '../../../src/simulator/seeded-random.ts'
import { HEADER_BYTES } from '../../../src/storage/file-header.ts'
import { FRAME_HEADER_BYTES, FRAME_MAGIC } from '../../../src/storage/frames.ts'
import { HintStore } from '../../../src/storage/hint-store.ts'
import { recover, type Recovered } from '../../../src/storage/recovery.ts'
import { StorageState } from '../../../src/storage/storage-state.ts'
import { encodeDotSet } from '../../../src/core/causality/dot-set-bytes.ts'
import { SILENT_LOGGER } from '../../../src/telemetry/log.ts'
import { CrashDisk } from '../../../test/storage/crash-disk.ts'
import { makeDirectory, PLANS } from '../../../test/storage/directories.ts'
import { about, type Door, door } from '../door.ts'
import type { Dice } from '../dice.ts'
import type { Draft } from '../ink.ts'

type Files = [name: string, content: Buffer][]

function packed(files: Iterable<readonly [string, Uint8Array]>): Buffer {
  const parts: Uint8Array[] = []
  for (const [name, content] of files) {
    const size = Buffer.alloc(4)
    size.writeUInt32LE(content.length)
    parts.push(Buffer.of(name.length), Buffer.from(name, 'latin1'), size, content)
  }
  return Buffer.concat(parts)
}

function unpacked(bytes: Buffer): Files {
  const files = new Map<string, Buffer>()
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 1 + (bytes[at] as number)
    const name = bytes.toString('latin1', at + 1, nameEnd)
    const size = nameEnd + 4 <= bytes.length ? bytes.readUInt32LE(nameEnd) : 0
    const from = Math.min(nameEnd + 4, bytes.length)
    const to = Math.min(from + size, bytes.length)
    files.set(name, bytes.subarray(from, to))
    at = to
  }
  return [...files]
}

/** Every header's checksum, and of every place that begins like a frame those of its head and body. */
function resealed(bytes: Buffer, _dice: Dice): Buffer {
  const files = unpacked(Buffer.from(bytes))
  for (const [, content] of files) {
    if (content.length < HEADER_BYTES || content.toString('latin1', 0, 7) !== 'QUORATE') continue
    content.writeUInt32LE(crc32(content.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
    const salt = crc32(content.subarray(28, 36))
    for (let at = HEADER_BYTES; at + FRAME_HEADER_BYTES <= content.length; at++) {
      const magic = content.subarray(at, at + 4)
      if (!magic.equals(FRAME_MAGIC.batch) && !magic.equals(FRAME_MAGIC.block)) continue
      const from = at + FRAME_HEADER_BYTES
      const next = nextMagic(content, from)
      const claimed = content.readUInt32LE(at + 4)
      // A body that has another length by now is what lies there, up to the next frame.
      const length = from + claimed <= next ? claimed : next - from
      content.writeUInt32LE(length, at + 4)
      content.writeUInt32LE(crc32(content.subarray(from, from + length), salt), at + 8)
      content.writeUInt32LE(crc32(content.subarray(at, at + 32), salt), at + 32)
    }
  }
  return packed(files)
}

function nextMagic(content: Buffer, from: number): number {
  const places = [content.indexOf(FRAME_MAGIC.batch, from), content.indexOf(FRAME_MAGIC.block, from)]
  return Math.min(...places.map((at) => (at < 0 ? content.length : at)))
}

let made: readonly Buffer[] | null = null

async function directories(): Promise<readonly Buffer[]> {
  if (made !== null) return made
  const all: Buffer[] = []
  for (const plan of PLANS) all.push(packed((await makeDirectory(plan)).image))
  return (made = all)
}

const NAMES = [
  'manifest',
  'log-00000001',
  'log-00000002',
  'checkpoint-00000001',
  'checkpoint-99999999',
  'damage-in-x',
  'x',
]

/** No directory of ours, but its names. What is nearly right comes from mutations. */
const grammar: fc.Arbitrary<Draft> = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), fc.uint8Array({ maxLength: 200 })), { maxLength: 4 })
  .map((files): Draft => (ink) => {
    for (const [name, content] of files) {
      ink.u8(name.length)
      ink.raw(Buffer.from(name))
      ink.fixed(content.length, 4)
      ink.raw(content)
    }
  })

const clock = { now: () => 1000, monotonic: () => 1000, after: () => ({ cancel: () => {} }) }

export const directoryDoor: Door = door<Recovered>({
  name: 'directory',
  weight: 0.25,
  grammar,
  samples: directories,
  reseal: resealed,
  // An arena, and what the disk is made of.
  reservedBytes: 4 << 20,
  isDeclared: (error) =>
    error instanceof QuorateError &&
    (error.code === 'config' || (error.code === 'storage-failed' && !isDefect(error.cause))),
  read: (bytes) =>
    recover({
      disk: CrashDisk.of(new Map(unpacked(bytes))),
      clock,
      random: new SeededRandom(1),
      logger: SILENT_LOGGER,
      newState: () => new StorageState(new HintStore(1 << 20, () => 0)),
    }),
  check: ({ state }) => {
    for (const partition of state.partitions()) encodeDotSet(state.clockOf(partition))
  },
  kindOf: ({ damaged, tornBytes, wasClean, isNew, state }) =>
    `${isNew ? 'new' : wasClean ? 'clean' : 'not clean'}, ${damaged.map(({ what }) => what.replace(/\d+/g, '#'))}, ` +
    `${about(tornBytes).length} torn, ${state.partitions().length} partitions`.slice(0, 120),
})

/** What the engine throws of itself is no error of a disk. */
function isDefect(cause: unknown): boolean {
  return cause instanceof TypeError || cause instanceof RangeError || cause instanceof SyntaxError
}
