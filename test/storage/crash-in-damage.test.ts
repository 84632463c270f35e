// A crash at every operation between a start over damage and its settlement: until that was asked for the damage is told again at each
// start, nothing of what was found or written since gets lost, and in the end it can be settled all the same. The damaged files are kept.

import { expect, test } from 'vitest'
import { contentOf, differenceOf } from '../../src/simulator/crash-points/content.ts'
import { SeededRandom } from '../../src/simulator/seeded-random.ts'
import { CrashDisk } from './crash-disk.ts'
import { type Directory, limitsOf, makeDirectory, type Plan, PLANS } from './directories.ts'
import { openStorage } from './fixture.ts'
import { changedBytes, files, type Harm, truncations } from './harms.ts'

const HARMS_EACH = 4
const AFTERMATHS = ['killed', 'all lost', 'chance 1', 'chance 2'] as const

/** How far it came. */
interface Progress {
  opened: boolean
  written: boolean
  asked: boolean
  settled: boolean
}

async function damagingHarms(directory: Directory, other: Directory): Promise<Harm[]> {
  const all = [...changedBytes(directory), ...truncations(directory), ...files(directory, other)]
  const found: Harm[] = []
  for (const harm of new SeededRandom(directory.plan.name).shuffle(all)) {
    const storage = await openStorage(CrashDisk.of(harm.image), { seed: 20 })
    // A file of another storage in the manifest's place makes this one another storage.
    if (storage.recovery.damaged.length > 0 && !harm.isUsurped) found.push(harm)
    if (found.length === HARMS_EACH) break
  }
  return found
}

async function settle(disk: CrashDisk, plan: Plan, progress: Progress): Promise<void> {
  const storage = await openStorage(disk, { seed: 21, ...limitsOf(plan) })
  progress.opened = true
  await storage.synced(storage.putRecord(99, 'b', 'new', Buffer.from('new'), []))
  progress.written = true
  // As a node does: what is rebuilt is in the log before it asks.
  progress.asked = true
  await storage.quarantineDone()
  progress.settled = true
}

interface Known {
  readonly plan: Plan
  /** What is told when it is opened, and when all of it came to its end. */
  readonly before: string
  readonly after: string
  /** Files in which the first start finds damage. */
  readonly damaged: readonly string[]
}

/** Another start may have found it damaged before the crash, and again after it. */
function isSetAside(disk: CrashDisk, name: string): boolean {
  return [...disk.names.keys()].some((there) => there.startsWith(`quarantine-${name}`))
}

/** What is wrong after it. */
async function crashAt(harm: Harm, dieAt: number, how: string, known: Known): Promise<string[]> {
  const disk = CrashDisk.of(harm.image)
  disk.dieAt = dieAt
  const progress = { opened: false, written: false, asked: false, settled: false }
  const running = settle(disk, known.plan, progress)
  running.catch(() => {})
  // Nothing of it waits for real time.
  for (let turn = 0; turn < 4 && !progress.settled; turn++) await new Promise((resolve) => setImmediate(resolve))
  const chance = how === 'all lost' ? undefined : new SeededRandom(`${harm.what} ${dieAt} ${how}`)
  const left = how === 'killed' ? CrashDisk.of(disk.image()) : disk.powerCut(chance)
  const wrong: string[] = []
  const storage = await openStorage(left, { seed: 22 })
  const content = contentOf(storage)
  const { before, after } = known
  if (content !== after && (progress.written || content !== before)) wrong.push(differenceOf(content, after))
  const isTold = storage.recovery.damaged.length > 0
  if (!isTold && !progress.asked) wrong.push('not told again, though nobody has settled it')
  if (isTold && progress.settled) wrong.push('told again, though it was settled')
  for (const name of known.damaged)
    if (!left.names.has(name) && !isSetAside(left, name)) wrong.push(`${name} was damaged and is gone`)
  await storage.synced(storage.putRecord(99, 'b', 'new', Buffer.from('new'), []))
  await storage.quarantineDone()
  for (const name of known.damaged) if (!isSetAside(left, name)) wrong.push(`${name} was damaged and is not set aside`)
  const end = left.powerCut()
  const again = await openStorage(end, { seed: 23 })
  const odd = [...end.names.keys()].filter((name) => /^damage-in-|\.tmp$/.test(name))
  if (odd.length > 0) wrong.push(`settled, and ${odd.join()} left over`)
  if (again.recovery.damaged.length > 0) wrong.push(`settled, and then ${again.recovery.damaged[0]?.what}`)
  if (contentOf(again) !== after) wrong.push(`settled, and then ${differenceOf(contentOf(again), after)}`)
  return wrong.map((text) => `${harm.what}, operation ${dieAt}, ${how}: ${text}`)
}

test.each(PLANS.filter(({ name }) => !name.startsWith('only a log')))('$name', { timeout: 120_000 }, async (plan) => {
  const [directory, other] = [await makeDirectory(plan, 1), await makeDirectory(plan, 2)]
  const wrong: string[] = []
  let crashes = 0
  for (const harm of await damagingHarms(directory, other)) {
    const whole = CrashDisk.of(harm.image)
    const first = await openStorage(CrashDisk.of(harm.image), { seed: 21 })
    const before = contentOf(first)
    const files = new Set(first.recovery.damaged.map(({ file }) => file))
    const damaged = [...files].filter((file) => harm.image.has(file) && file !== 'manifest')
    await settle(whole, plan, { opened: false, written: false, asked: false, settled: false })
    const after = contentOf(await openStorage(CrashDisk.of(whole.image()), { seed: 22 }))
    const known = { plan, before, after, damaged }
    for (let dieAt = 1; dieAt <= whole.operations; dieAt++) {
      for (const how of AFTERMATHS) {
        crashes++
        wrong.push(...(await crashAt(harm, dieAt, how, known)))
      }
    }
  }
  process.stdout.write(`${plan.name}: ${crashes} crashes\n`)
  expect(wrong.slice(0, 10)).toEqual([])
  expect(crashes).toBeGreaterThan(500)
})
