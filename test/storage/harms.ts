// Every single harm to a directory's files: bytes changed, files cut, lost, swapped, copied, set back, brought back, or of another storage.
// Knows names of files, nothing of what is in them. Invariant: a harm says which bytes it leaves as they were.

import type { SeededRandom } from '../../src/simulator/seeded-random.ts'
import type { Image } from './crash-disk.ts'
import type { Directory } from './directories.ts'

/** Half-open, in the file as it was. */
export interface Touched {
  readonly file: string
  readonly from: number
  readonly to: number
}

export interface Harm {
  readonly what: string
  readonly image: Image
  readonly touched: readonly Touched[]
  /** What is touched is gone to the end of the file; otherwise its bytes are others. */
  readonly isCut: boolean
  /** It may be told or not, but never removed. */
  readonly kept?: string
  /** As many files say another storage's name as the directory's own. */
  readonly isUsurped?: boolean
  /** Two at once: some cannot be told from one that is allowed, so neither silence nor the extent of the loss is judged. */
  readonly isDouble?: boolean
}

export function isLog(name: string): boolean {
  return name.startsWith('log-')
}

export function isCheckpoint(name: string): boolean {
  return name.startsWith('checkpoint-')
}

export function newestLog(image: Image): string {
  const name = [...image.keys()].filter(isLog).sort().at(-1)
  if (name === undefined) throw new Error('no log')
  return name
}

/** A large directory has more of the same: only some of its bytes get their turn, behind the headers few. */
const BYTES_MANY = 4000
const HEADERS_END = 110

function* placesIn({ image }: Directory, size: number): Iterable<number> {
  let bytes = 0
  for (const file of image.values()) bytes += file.length
  for (let at = 0; at < size; at += bytes < BYTES_MANY ? 1 : at < HEADERS_END ? 2 : 11) yield at
}

/** One bit of every byte; of every fifth byte also all of them, both ways. */
export function* changedBytes(directory: Directory): Iterable<Harm> {
  const { image } = directory
  for (const [file, bytes] of image) {
    for (const at of placesIn(directory, bytes.length)) {
      const before = bytes[at] as number
      const values = [before ^ (1 << (at % 8)), ...(at % 5 === 0 ? [0x00, 0xff] : [])]
      for (const value of values) {
        if (value === before) continue
        const copy = Uint8Array.from(bytes)
        copy[at] = value
        yield {
          what: `byte ${at} of ${file}: ${before} → ${value}`,
          image: new Map(image).set(file, copy),
          touched: [{ file, from: at, to: at + 1 }],
          isCut: false,
        }
      }
    }
  }
}

export function* truncations(directory: Directory): Iterable<Harm> {
  const { image } = directory
  for (const [file, bytes] of image) {
    for (const size of placesIn(directory, bytes.length)) {
      yield {
        what: `${file} cut to ${size}`,
        image: new Map(image).set(file, bytes.slice(0, size)),
        touched: [{ file, from: size, to: Infinity }],
        isCut: true,
      }
    }
  }
}

export function* files(directory: Directory, other: Directory): Iterable<Harm> {
  yield* lostAndExchanged(directory)
  yield* fromThePast(directory)
  yield* overThePast(directory)
  yield* foreign(directory, other)
  yield* added(directory)
}

/** Without those from another storage: where the manifest is gone as well, any one file says whose the directory is. */
export function* pairs(directory: Directory, random: SeededRandom, count: number): Iterable<Harm> {
  const others = [...lostAndExchanged(directory), ...fromThePast(directory), ...added(directory)]
  const kinds = [[...changedBytes(directory)], [...truncations(directory)], others]
  for (let i = 0; i < count; i++) {
    const [a, b] = [random.pick(random.pick(kinds)), random.pick(random.pick(kinds))]
    const image = new Map(a.image)
    for (const [file, bytes] of b.image) if (directory.image.get(file) !== bytes) image.set(file, bytes)
    for (const file of directory.image.keys()) if (!b.image.has(file)) image.delete(file)
    yield { what: `${a.what}; ${b.what}`, image, touched: [...a.touched, ...b.touched], isCut: false, isDouble: true }
  }
}

function whole(...names: readonly string[]): readonly Touched[] {
  return names.map((file) => ({ file, from: 0, to: Infinity }))
}

function* lostAndExchanged({ image }: Directory): Iterable<Harm> {
  for (const file of image.keys()) {
    const without = new Map(image)
    without.delete(file)
    yield { what: `${file} missing`, image: without, touched: whole(file), isCut: false }
  }
  for (const a of image.keys()) {
    for (const b of image.keys()) {
      if (a === b || kindOf(a) !== kindOf(b)) continue
      const [bytesOfA, bytesOfB] = [image.get(a) as Uint8Array, image.get(b) as Uint8Array]
      yield {
        what: `${a} in the place of ${b}`,
        image: new Map(image).set(b, bytesOfA),
        touched: whole(b),
        isCut: false,
      }
      if (a > b) continue
      const swapped = new Map(image).set(a, bytesOfB).set(b, bytesOfA)
      yield { what: `${a} and ${b} swapped`, image: swapped, touched: whole(a, b), isCut: false }
    }
  }
}

function* fromThePast({ image, older, gone }: Directory): Iterable<Harm> {
  for (const [file, versions] of older) {
    for (const [index, bytes] of versions.entries()) {
      const now = image.get(file) as Uint8Array
      const isPrefix = Buffer.compare(bytes, now.subarray(0, bytes.length)) === 0
      yield {
        what: `${file} as it was, version ${index}`,
        image: new Map(image).set(file, bytes),
        touched: isPrefix ? [{ file, from: bytes.length, to: Infinity }] : whole(file),
        isCut: isPrefix,
      }
    }
  }
  for (const [file, bytes] of gone) {
    yield { what: `${file} back`, image: new Map(image).set(file, bytes), touched: [], isCut: false }
    for (const place of image.keys()) {
      if (kindOf(place) !== kindOf(file)) continue
      const replaced = new Map(image).set(place, bytes)
      yield { what: `${file}, gone, in the place of ${place}`, image: replaced, touched: whole(place), isCut: false }
    }
  }
  if (gone.size > 0)
    yield { what: 'all that is gone is back', image: new Map([...image, ...gone]), touched: [], isCut: false }
}

/** What a checkpoint was is back, and it is harmed itself: the log no longer reaches back to the older one. */
function* overThePast({ image, gone }: Directory): Iterable<Harm> {
  for (const [file, bytes] of image) {
    if (!isCheckpoint(file)) continue
    const changed = (at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte))
    const harmed = { 'header damaged': changed(40), damaged: changed(bytes.length >> 1), missing: null }
    for (const [older, was] of gone) {
      if (!isCheckpoint(older)) continue
      for (const [what, left] of Object.entries(harmed)) {
        const back = new Map(image).set(older, was)
        if (left) back.set(file, left)
        else back.delete(file)
        yield { what: `${file} ${what}, ${older} back`, image: back, touched: whole(file), isCut: false }
      }
    }
  }
}

function* foreign({ image }: Directory, other: Directory): Iterable<Harm> {
  for (const [file, bytes] of other.gone) {
    const added = new Map(image).set(file, bytes)
    yield { what: `${file} of another storage’s past`, image: added, touched: [], isCut: false, kept: file }
  }
  for (const file of image.keys()) {
    const bytes = other.image.get(file)
    if (!bytes) throw new Error(`the other storage has no ${file}`)
    const isManifest = kindOf(file) === 'manifest'
    yield {
      what: `${file} of another storage`,
      image: new Map(image).set(file, bytes),
      touched: whole(file),
      isCut: false,
      // Of two files one.
      isUsurped: isManifest && image.size === 2,
    }
    // Without a file of its own there is no directory left.
    if (isManifest || image.size === 2) continue
    const leaderless = new Map(image).set(file, bytes)
    leaderless.delete('manifest')
    yield {
      what: `${file} of another storage, and no manifest`,
      image: leaderless,
      touched: whole(file, 'manifest'),
      isCut: false,
      isUsurped: !votesForItself(image, file),
    }
  }
}

/** Without its manifest and one file. */
function votesForItself(image: Image, lost: string): boolean {
  const left = [...image.keys()].filter((name) => name !== lost && kindOf(name) !== 'manifest')
  // One against one: a storage has a log.
  return left.length > 1 || (left.some(isLog) && !isLog(lost))
}

/** Nothing of the directory's own is touched. */
function* added({ image }: Directory): Iterable<Harm> {
  const junk = Buffer.from('nothing that anybody has written here, and of some length')
  for (const [file, bytes] of image) {
    for (const [what, tail] of [
      ['junk', junk],
      ['zeros', new Uint8Array(700)],
      ['its own end', bytes.slice(-100)],
      ['itself', bytes],
    ] as const) {
      const longer = Buffer.concat([bytes, tail])
      yield { what: `${file} and ${what}`, image: new Map(image).set(file, longer), touched: [], isCut: false }
    }
    yield { what: `${file}.tmp`, image: new Map(image).set(`${file}.tmp`, bytes), touched: [], isCut: false }
    const quarantined = new Map(image).set(`quarantine-${file}`, junk)
    yield { what: `quarantine-${file}`, image: quarantined, touched: [], isCut: false }
    const name = file.replace(/\d{8}$/, '00000999')
    if (name !== file)
      yield { what: `${name}, a copy of ${file}`, image: new Map(image).set(name, bytes), touched: [], isCut: false }
  }
  yield { what: 'somebody’s notes', image: new Map(image).set('notes', junk), touched: [], isCut: false }
}

function kindOf(name: string): string {
  return name.split('-')[0] ?? name
}
