// Which files a directory holds, whose they are, and which of them go when a storage starts. Knows nothing of what is behind their headers.
// Invariant: a file that any start has found damaged is never removed, only renamed.

import type { Disk } from '../ports/disk.ts'
import {
  checkpointName,
  type FileHeader,
  HEADER_BYTES,
  MANIFEST,
  MARK,
  numberOf,
  QUARANTINE,
  readHeader,
  segmentName,
  type StorageKeys,
  TEMPORARY,
} from './file-header.ts'
import { readManifest } from './manifest.ts'

export interface StoredFile {
  readonly kind: 'segment' | 'checkpoint'
  readonly name: string
  readonly header: FileHeader | null
  /** In its header or, when that is damaged, in its name. */
  readonly number: number
  readonly bytes: number
}

export type TellDamage = (file: string, offset: number, bytes: number, what: string) => void

export interface Inventory {
  /** Null: there is none, it is damaged, or it is another storage's. */
  readonly manifest: FileHeader | null
  /** Null: no header says whose this is. */
  readonly keys: StorageKeys | null
  readonly files: readonly StoredFile[]
  /** Names of files in which an earlier start has found damage. */
  readonly marked: ReadonlySet<string>
}

export async function takeInventory(disk: Disk, damage: TellDamage): Promise<Inventory> {
  const names = await removeLeftovers(disk, await disk.list())
  const manifest = names.includes(MANIFEST) ? await readManifest(disk) : null
  const files: StoredFile[] = []
  for (const name of names) {
    for (const kind of ['segment', 'checkpoint'] as const) {
      const number = numberOf(kind, name)
      if (number !== null) files.push(await inspect(disk, kind, name, number))
    }
  }
  const keys = ownerOf(manifest, files)
  const isUsurper = manifest !== null && keys !== null && isForeign(manifest, keys)
  // It is not kept: the next segment's takes its place.
  if (isUsurper) damage(MANIFEST, 0, HEADER_BYTES, `belongs to storage ${manifest.identity}`)
  const marked = new Set(names.filter(isMark).map((name) => name.slice(MARK.length)))
  return { manifest: isUsurper ? null : manifest, keys, files, marked }
}

async function removeLeftovers(disk: Disk, names: readonly string[]): Promise<string[]> {
  for (const name of names) if (name.endsWith(TEMPORARY)) await disk.remove(name)
  return names.filter((name) => !name.endsWith(TEMPORARY))
}

async function inspect(disk: Disk, kind: StoredFile['kind'], name: string, number: number): Promise<StoredFile> {
  const { header, bytes } = await readHeader(disk, kind, name)
  return { kind, name, header, number: header?.number ?? number, bytes }
}

interface Votes {
  readonly keys: StorageKeys
  files: number
  hasManifest: boolean
  segments: number
  bytes: number
}

/**
 * The storage that most files name, since fewer strangers are likelier than more. Of equals the manifest's, then that with more segments
 * (there is no storage without one), then with more bytes. The others' files are damage, whoever wins.
 */
function ownerOf(manifest: FileHeader | null, files: readonly StoredFile[]): StorageKeys | null {
  const all = new Map<string, Votes>()
  const votesOf = ({ identity, salt }: StorageKeys): Votes => {
    const name = `${identity} ${salt}`
    const votes = all.get(name) ?? { keys: { identity, salt }, files: 0, hasManifest: false, segments: 0, bytes: 0 }
    all.set(name, votes)
    votes.files++
    return votes
  }
  if (manifest) votesOf(manifest).hasManifest = true
  for (const { header, kind, bytes } of files) {
    if (!header) continue
    const votes = votesOf(header)
    votes.bytes += bytes
    if (kind === 'segment') votes.segments++
  }
  const [first] = [...all.values()].sort(
    (a, b) =>
      b.files - a.files ||
      Number(b.hasManifest) - Number(a.hasManifest) ||
      b.segments - a.segments ||
      b.bytes - a.bytes,
  )
  return first?.keys ?? null
}

/** Reports files of other storages and wrong names; the former are left out, the latter stay at the place that they name. */
export function ownOnly(files: readonly StoredFile[], keys: StorageKeys, damage: TellDamage): StoredFile[] {
  const seen = new Set<number>()
  return files.filter((file) => {
    if (file.header === null) return true
    const own = !isForeign(file.header, keys)
    const name = file.header.kind === 'segment' ? segmentName(file.number) : checkpointName(file.number)
    if (!own) damage(file.name, 0, file.bytes, `belongs to storage ${file.header.identity}`)
    else if (file.name !== name) damage(file.name, 0, file.bytes, `is a copy of ${name}, or was renamed`)
    const repeated = seen.has(file.number)
    seen.add(file.number)
    return own && !(repeated && file.name !== name)
  })
}

/** A header that is damaged names nobody. */
export function isForeign(header: FileHeader | null, keys: StorageKeys): boolean {
  return header !== null && (header.identity !== keys.identity || header.salt !== keys.salt)
}

/** Of the segments that are what they are called. */
export function placesOf(
  files: readonly StoredFile[],
  keys: StorageKeys,
): { readonly number: number; readonly batch: number }[] {
  return files
    .filter(({ kind, name, number }) => kind === 'segment' && name === segmentName(number))
    .flatMap(({ number, header }) => (header && !isForeign(header, keys) ? [{ number, batch: header.batch }] : []))
    .sort((a, b) => a.number - b.number)
}

/** The highest number that is taken, in headers and in names: a file under another one's name says a lower number. */
export function highestOf(files: readonly StoredFile[], kind: StoredFile['kind']): number {
  const ofKind = files.filter((file) => file.kind === kind)
  return Math.max(0, ...ofKind.flatMap(({ number, name }) => [number, numberOf(kind, name) ?? 0]))
}

/**
 * Marks those that are there, durably. Later starts may find them replaced already, by checkpoints that were to settle the damage when a
 * crash came, or see the damage elsewhere; then nothing but the mark says that they are not to be removed.
 */
export async function markDamaged(disk: Disk, names: Iterable<string>): Promise<void> {
  const there = new Set(await disk.list())
  for (const name of names) {
    const mark = MARK + name
    if (!there.has(name) || there.has(mark) || !isMark(mark)) continue
    await (await disk.open(mark, 'create')).close()
    there.add(mark)
  }
  await disk.syncDirectory()
}

/** Removes files, in this order; of these the damaged ones are set aside, and then all marks have had their time. */
export async function letGo(disk: Disk, names: readonly string[], damaged: ReadonlySet<string>): Promise<void> {
  const there = new Set(await disk.list())
  for (const name of names) {
    if (!there.has(name)) continue
    if (!damaged.has(name)) await disk.remove(name)
    else await disk.rename(name, freeName(`${QUARANTINE}${name}`, there))
  }
  if (names.length > 0) await disk.syncDirectory()
  if (damaged.size === 0) return
  // Only now: names that changed without a sync may come back after a power cut, each for itself.
  for (const name of there) if (isMark(name)) await disk.remove(name)
  await disk.syncDirectory()
}

function isMark(name: string): boolean {
  const marked = name.startsWith(MARK) ? name.slice(MARK.length) : ''
  return numberOf('segment', marked) !== null || numberOf('checkpoint', marked) !== null
}

/** An earlier one of the same name is kept too. */
function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let i = 2; taken.has(name); i++) name = `${wanted}.${i}`
  taken.add(name)
  return name
}
