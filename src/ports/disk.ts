// One directory of flat files, as a node's storage sees it. Every durability step is explicit: written bytes survive a crash
// only after `sync`, and a created, renamed or removed name only after `syncDirectory`.
// Errors reject with an Error whose `code` is the system's (ENOENT, ENOSPC, EIO, …).

export interface DiskFile {
  /** Size in bytes as this process sees it. */
  readonly size: number
  /** Appends all of `chunks` at the end, in order, as one operation. Not durable before `sync`, but in a log. */
  append(chunks: readonly Uint8Array[]): Promise<void>
  /** Reads up to `length` bytes from `position`; shorter only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>
  /** Makes everything appended before this call durable (fdatasync). After a rejection the file's state is unknown: never retry. */
  sync(): Promise<void>
  /** Cuts the file to `size` bytes. Durable after `sync`. */
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

/**
 * `existing`: for reading and appending. `create`: an empty file; it must not exist. `create-log`: the same, and every append to it is
 * durable when it resolves; a rejected one is like a rejected `sync`: the file's state is unknown. But for ENOSPC: then the file is as it
 * was, and the same bytes may be appended again, or else it takes no more and every append is rejected for another reason. Room may be
 * made ahead of it: a log that was not closed may be found to end in zeros, but never with its first append only.
 */
export type OpenMode = 'existing' | 'create' | 'create-log'

/** Bytes of the file system that the directory lies on. */
export interface Space {
  /** For this process. */
  readonly free: number
  readonly total: number
}

export interface Disk {
  /** File names, sorted. */
  list(): Promise<readonly string[]>
  open(name: string, mode: OpenMode): Promise<DiskFile>
  /** Atomically replaces `to` by `from`. */
  rename(from: string, to: string): Promise<void>
  remove(name: string): Promise<void>
  /** Makes creations, renames and removals before this call durable. */
  syncDirectory(): Promise<void>
  /** Takes no room and changes nothing; what others do meanwhile may make it wrong at once. */
  space(): Promise<Space>
}
