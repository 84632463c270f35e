// One directory of flat files, as a node's storage sees it. Every durability step is explicit: written bytes survive a crash
// only after `sync`, and a created, renamed or removed name only after `syncDirectory`.
// Errors reject with an Error whose `code` is the system's (ENOENT, ENOSPC, EIO, …).

export interface DiskFile {
  /** Size in bytes as this process sees it. */
  readonly size: number
  /** Appends all of `chunks` at the end, in order, as one operation. Not durable before `sync`. */
  append(chunks: readonly Uint8Array[]): Promise<void>
  /** Reads up to `length` bytes from `position`; shorter only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>
  /** Makes everything appended before this call durable (fdatasync). After a rejection the file's state is unknown: never retry. */
  sync(): Promise<void>
  /** Cuts the file to `size` bytes. Durable after `sync`. */
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

export interface Disk {
  /** File names, sorted. */
  list(): Promise<readonly string[]>
  /** Opens an existing file for reading and appending, or creates an empty one when `create` (then it must not exist). */
  open(name: string, mode: 'existing' | 'create'): Promise<DiskFile>
  /** Atomically replaces `to` by `from`. */
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  /** Makes creations, renames and removals before this call durable. */
  syncDirectory(): Promise<void>
}
