// Opens a harmed directory and judges what comes: the exact state; a torn tail cut off; damage that is reported, with all else intact; or a
// clear refusal. Knows from the directory's history which change lay where, nothing of formats. Invariant: anything else is a finding.

import { DotSet } from '../../src/core/causality/dot-set.ts'
import { QuorateError } from '../../src/errors.ts'
import { contentOf, differenceOf } from '../../src/simulator/crash-points/content.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { CrashDisk } from './crash-disk.ts'
import { cellsOf, clocksOf, type Directory, limitsOf, type Step } from './directories.ts'
import { openStorage } from './fixture.ts'
import { type Harm, isCheckpoint, isLog, newestLog } from './harms.ts'

export type Outcome = 'exact' | 'cut' | 'damage' | 'refused'

export interface Finding {
  readonly outcome: Outcome | 'wrong'
  readonly wrong: readonly string[]
}

const HANGS_MS = 10_000

export class HarmJudge {
  readonly #directory: Directory
  /** Of each step the parts of logs that are still there; null: its log is gone, a checkpoint tells of it. */
  readonly #placeOf: readonly (readonly { file: string; from: number; to: number }[] | null)[]
  readonly #last: Step
  readonly #newestLog: string

  constructor(directory: Directory) {
    this.#directory = directory
    const { steps, image } = directory
    this.#last = steps.at(-1) as Step
    this.#newestLog = newestLog(image)
    this.#placeOf = steps.map((step, i) => {
      const before = steps[i - 1]?.sizes
      const parts = [...step.sizes]
        .filter(([file]) => isLog(file))
        .map(([file, to]) => ({ file, from: before?.get(file) ?? 0, to }))
        .filter(({ from, to }) => to > from)
      return parts.every(({ file }) => image.has(file)) ? parts : null
    })
  }

  /** `thorough`: also what is otherwise judged by samples. */
  async judge(harm: Harm, thorough: boolean): Promise<Finding> {
    const disk = CrashDisk.of(harm.image)
    try {
      return await within(this.#judged(harm, disk, thorough))
    } catch (error) {
      // Whatever else it can't deal with would be refused in the same words.
      if (error instanceof QuorateError && error.code === 'config') return { outcome: 'refused', wrong: [] }
      return { outcome: 'wrong', wrong: [error instanceof Error ? (error.stack ?? error.message) : String(error)] }
    }
  }

  async #judged(harm: Harm, disk: CrashDisk, thorough: boolean): Promise<Finding> {
    const limits = limitsOf(this.#directory.plan)
    const storage = await openStorage(disk, { seed: 9, ...limits })
    const isDamaged = storage.recovery.damaged.length > 0
    const content = contentOf(storage)
    const outcome = isDamaged ? 'damage' : content === this.#last.content ? 'exact' : 'cut'
    const wrong: string[] = []
    if (outcome === 'cut' && !harm.isDouble) wrong.push(...this.#wrongWithCut(harm, content))
    if (isDamaged || harm.isDouble) wrong.push(...this.#wrongWithRest(harm, storage))
    if (!isLenient(harm) && storage.identity !== this.#directory.identity) wrong.push('another identity')
    const odd = [...disk.names.keys()].filter((name) => name.endsWith('.tmp') && harm.image.has(name))
    if (odd.length > 0) wrong.push(`${odd.join()} left over`)
    const { kept } = harm
    try {
      if (isDamaged) await goOnDamaged(harm, storage, disk, thorough ? limits : null, wrong)
      else if (thorough) await goOn(storage, disk, wrong)
    } catch (error) {
      wrong.push(`it does not go on: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
    if (kept !== undefined && ![kept, `quarantine-${kept}`].some((name) => disk.names.has(name)))
      wrong.push(`${kept} is removed`)
    return { outcome: wrong.length > 0 ? 'wrong' : outcome, wrong }
  }

  /** Silence is right about the end of a log that nobody closed: what was cut, or its very last batch. */
  #wrongWithCut(harm: Harm, content: string): string[] {
    const { plan, steps } = this.#directory
    const silent = `without a word ${differenceOf(content, this.#last.content)}`
    if (plan.close || harm.touched.some(({ file }) => file !== this.#newestLog)) return [silent]
    const found = steps.findLastIndex((step) => step.content === content)
    if (found < 0) return [`a state that never was: ${silent}`]
    const touched = this.#touchedSteps(harm)
    const first = steps.findIndex((_, i) => touched.has(i))
    const isAllowed = harm.isCut ? first >= 0 && found >= first - 1 : first === steps.length - 1 && found === first - 1
    return isAllowed ? [] : [silent]
  }

  /** Damage is reported: what the harm did not touch is there, and nothing is that was never written there. */
  #wrongWithRest(harm: Harm, storage: Storage): string[] {
    const { written, dots, steps } = this.#directory
    const wrong: string[] = []
    const touched = this.#touchedSteps(harm)
    const lenient = isLenient(harm)
    const found = cellsOf(storage)
    for (const cell of new Set([...written.keys(), ...found.keys()])) {
      const value = found.get(cell)
      if (value && !written.get(cell)?.has(value.toString('hex')))
        wrong.push(`${cell} holds ${value.toString('latin1')}`)
      const newest = this.#last.cells.get(cell)
      if (!lenient && !same(value, newest) && this.#isIntact(cell, newest, harm, touched))
        wrong.push(`${cell} was not touched, and holds ${value?.toString('latin1') ?? 'nothing'}`)
    }
    for (const [partition, clock] of clocksOf(storage)) {
      if (!clock.isSubsetOf(dots.get(partition) ?? DotSet.empty()))
        wrong.push(`the clock of ${partition} holds ${clock}`)
    }
    steps.forEach((step, i) => {
      if (lenient || i === 0 || touched.has(i) || this.#placeOf[i] === null) return
      for (const [partition, clock] of step.clocks) {
        const gained = clock.subtract(steps[i - 1]?.clocks.get(partition) ?? DotSet.empty())
        if (!gained.isSubsetOf(storage.clockOf(partition)))
          wrong.push(`the clock of ${partition} lacks ${gained}, which was not touched`)
      }
    })
    return wrong
  }

  #touchedSteps({ touched }: Harm): ReadonlySet<number> {
    const isTouched = (file: string, from: number, to: number): boolean =>
      touched.some((part) => part.file === file && part.from < to && from < part.to)
    const found = new Set<number>()
    this.#placeOf.forEach((parts, i) => {
      if (parts?.some(({ file, from, to }) => isTouched(file, from, to))) found.add(i)
    })
    return found
  }

  /** Its newest value, or its removal, lies where nothing was touched. A checkpoint file counts as a whole. */
  #isIntact(cell: string, newest: Buffer | undefined, harm: Harm, touched: ReadonlySet<number>): boolean {
    const { steps, image } = this.#directory
    const step = steps.findLastIndex((one, i) => i > 0 && !same(one.cells.get(cell), valueAt(steps[i - 1], cell)))
    if (this.#placeOf[step] !== null) return !touched.has(step)
    const harmed = new Set(harm.touched.map(({ file }) => file))
    const checkpoints = [...image].filter(([name]) => isCheckpoint(name))
    const telling = newest ? checkpoints.filter(([, bytes]) => Buffer.from(bytes).includes(newest)) : []
    if (telling.length > 0) return telling.some(([name]) => !harmed.has(name))
    return checkpoints.every(([name]) => !harmed.has(name))
  }
}

/** Told again at every start (`again`: within these limits), until it is settled; then no more. */
async function goOnDamaged(
  harm: Harm,
  storage: Storage,
  disk: CrashDisk,
  again: ReturnType<typeof limitsOf> | null,
  wrong: string[],
): Promise<void> {
  await write(storage)
  const expected = contentOf(storage)
  let settling = storage
  let on = disk
  if (again) {
    on = disk.powerCut()
    settling = await openStorage(on, { seed: 10, ...again })
    if (settling.recovery.damaged.length === 0) wrong.push('not told again at the next start')
    if (contentOf(settling) !== expected) wrong.push(`started again: ${differenceOf(contentOf(settling), expected)}`)
  }
  const damaged = settling.recovery.damaged.map(({ file }) => file).filter((file) => on.names.has(file))
  await settling.quarantineDone()
  const names = new Set(on.names.keys())
  for (const file of new Set(damaged)) {
    if (!harm.image.has(file)) continue
    if (![...names].some((name) => name.startsWith(`quarantine-${file}`)))
      wrong.push(`${file} was damaged and is not kept`)
  }
  await reopened(on.powerCut(), expected, 'settled', wrong)
  if (!again) return
  await settling.close()
  const last = await reopened(CrashDisk.of(on.image()), expected, 'settled and closed', wrong)
  if (!last.recovery.wasClean) wrong.push('settled and closed, and not clean')
}

async function goOn(storage: Storage, disk: CrashDisk, wrong: string[]): Promise<void> {
  await write(storage)
  await reopened(disk.powerCut(), contentOf(storage), 'gone on', wrong)
}

async function write(storage: Storage): Promise<void> {
  storage.putRecord(99, 'b', 'new', Buffer.from('new'), [{ life: 'ffffffffffffffff', counter: 1 }])
  storage.putRecord(16, 'b', 'k1', Buffer.from('overwritten'), [])
  await storage.synced(storage.setCatalog('members', null))
}

async function reopened(disk: CrashDisk, expected: string, when: string, wrong: string[]): Promise<Storage> {
  const storage = await openStorage(disk, { seed: 11 })
  const [damage] = storage.recovery.damaged
  if (damage) wrong.push(`${when}, then damage in ${damage.file}: ${damage.what}`)
  const content = contentOf(storage)
  if (content !== expected) wrong.push(`${when}, then ${differenceOf(content, expected)}`)
  return storage
}

/** It may have lost what says whose the directory is, and then all the rest. */
function isLenient({ isUsurped, isDouble }: Harm): boolean {
  return isUsurped === true || isDouble === true
}

function valueAt(step: Step | undefined, cell: string): Buffer | undefined {
  return step?.cells.get(cell)
}

function same(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), HANGS_MS)
  })
  try {
    return await Promise.race([work, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
