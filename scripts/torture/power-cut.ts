// File systems whose power can be cut: ext4 on loop devices, shut down by FS_IOC_SHUTDOWN without flushing the journal, and mounted
// again. A killed process keeps its page cache, so only this shows an acknowledgement that came before its fsync.
// Invariant: what was mounted is unmounted when this process ends, however it ends.

import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** EXT4_IOC_SHUTDOWN, which is FS_IOC_SHUTDOWN, and EXT4_GOING_FLAGS_NOLOGFLUSH (include/uapi/linux/ext4.h). */
const CUT =
  'open(my $d, "<", $ARGV[0]) or die $!; my $how = pack("L", 2); defined ioctl($d, 0x8004587d, $how) or die $!'
const IMAGE_SIZE = '256M'

export class PowerCutDisk {
  readonly mountPoint: string
  readonly #image: string
  readonly #onExit = (): void => this.#unmount()

  constructor(folder: string, name: string) {
    this.mountPoint = join(folder, `${name}-disk`)
    this.#image = join(folder, `${name}.img`)
    mkdirSync(this.mountPoint)
    run('truncate', '-s', IMAGE_SIZE, this.#image)
    run('mkfs.ext4', '-q', '-F', this.#image)
    this.mount()
    process.on('exit', this.#onExit)
  }

  mount(): void {
    run('mount', '-o', 'loop', this.#image, this.mountPoint)
  }

  /** From here on nothing reaches the disk, and what was not synced before is gone. */
  cut(): void {
    run('perl', '-e', CUT, this.mountPoint)
  }

  /** The power is back; nobody may have files open. */
  restore(): void {
    run('umount', this.mountPoint)
    this.mount()
  }

  remove(): void {
    process.off('exit', this.#onExit)
    this.#unmount()
    rmSync(this.#image, { force: true })
  }

  #unmount(): void {
    spawnSync('umount', ['-l', this.mountPoint])
    // Where it is mounted still this fails, and takes nothing with it.
    spawnSync('rmdir', [this.mountPoint])
  }
}

/** Why power cannot be cut here; null where it can. */
export function whyNoPowerCut(folder: string): string | null {
  if (process.platform !== 'linux') return 'this needs Linux'
  if (process.getuid?.() !== 0) return 'mounting needs root'
  let disk: PowerCutDisk | null = null
  try {
    disk = new PowerCutDisk(folder, 'probe')
    disk.cut()
    disk.restore()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    disk?.remove()
  }
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error !== undefined) throw new Error(`${command}: ${error.message}`)
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr.trim()}`)
}
