// A script of one storage, crashed at every operation of its disk: what is found then is a state that was, not older than what was promised;
// no damage is invented, nothing is left over, and the storage goes on. Knows no script. Invariant: judging a point twice says the same.

import type { Storage } from '../../storage/storage.ts'
import { aftermathOf, variantsAt } from './aftermath.ts'
import { contentOf, differenceOf } from './content.ts'
import { type CrashPoint, type Moment, nameOf, type Survey, type Workload } from './points.ts'
import { ScriptStage, type StorageScript } from './storage-script.ts'

/** Simulated; everything here takes a few hundred milliseconds. */
const PATIENCE_MS = 600_000
/** A start has about so many operations: where a second crash comes. */
const START_OPERATIONS = 45
const PARTITION = 77

export class StorageWorkload implements Workload {
  readonly name: string
  readonly #script: StorageScript

  constructor(script: StorageScript) {
    this.name = script.name
    this.#script = script
  }

  async survey(): Promise<Survey> {
    const contents: string[] = []
    const stage = new ScriptStage(this.#script, contents)
    await stage.time.settle(this.#script.run(stage), PATIENCE_MS)
    const count = (what: RegExp): number => stage.operations.filter((operation) => what.test(operation)).length
    return {
      operations: stage.operations,
      figures: {
        changes: stage.made,
        checkpoints: stage.checkpoints,
        writes: count(/^append/),
        'syncs of the directory': count(/^sync-directory/),
        reads: count(/^read/),
      },
      variantsAt: (operation: number, moment: Moment) => variantsAt(stage.operations[operation - 1] ?? '', moment),
      judge: (point) => this.#judge(point, contents),
    }
  }

  async #judge(point: CrashPoint, contents: readonly string[]): Promise<string | null> {
    const stage = new ScriptStage(this.#script, null)
    const { time, disk } = stage
    let isDead = false
    let isOver = false
    const hook = (what: string): void => {
      if (stage.operations.length !== point.operation || isDead) return
      isDead = true
      stage.crash('nothing')
      const random = stage.random.fork(nameOf(point))
      aftermathOf(point.variant).leave(disk, random, what)
    }
    disk.beforeOperation = (what): void => {
      stage.operations.push(what)
      if (point.moment === 'before') hook(what)
    }
    if (point.moment === 'after') disk.afterOperation = hook
    void this.#script.run(stage).then(() => {
      isOver = true
    })
    await time.runUntilCondition(() => isDead || isOver, PATIENCE_MS)
    disk.beforeOperation = null
    disk.afterOperation = null
    if (!isDead) return `the script has no operation ${point.operation}`
    try {
      await this.#crashAgain(stage, point)
      return await this.#goOn(stage, contents)
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 3).join(' | ') : String(error)
    }
  }

  async #crashAgain(stage: ScriptStage, point: CrashPoint): Promise<void> {
    const { twice, leave } = aftermathOf(point.variant)
    if (!twice) return
    const random = stage.random.fork(`${nameOf(point)} again`)
    let left = random.integer(1, START_OPERATIONS)
    let isDead = false
    let isOver = false
    const end = (): void => {
      isOver = true
    }
    stage.disk.beforeOperation = (what): void => {
      if (isDead || --left > 0) return
      isDead = true
      stage.crash('nothing')
      leave(stage.disk, random, what)
    }
    // Its end, too, may be where it dies.
    const run = stage.start().then((storage) => storage.close())
    run.then(end, end)
    await stage.time.runUntilCondition(() => isDead || isOver, PATIENCE_MS)
    stage.disk.beforeOperation = null
    stage.crash('nothing')
    if (!isDead) await run
  }

  async #goOn(stage: ScriptStage, contents: readonly string[]): Promise<string | null> {
    const { time } = stage
    const storage = await time.settle(stage.start(), PATIENCE_MS)
    const found = contentOf(storage)
    // The last change may have been made and not been counted yet.
    const index = contents.lastIndexOf(found, stage.made)
    if (stage.promised >= 0 && index < stage.promised) {
      const wanted = contents[stage.promised] ?? ''
      const what = index < 0 ? 'a state that never was' : `state ${index}, though ${stage.promised} was promised`
      return `${what}: ${differenceOf(found, wanted)}`
    }
    if (stage.promised < 0 && found !== '') return `a storage that was never open holds ${differenceOf(found, '')}`
    if (stage.identity !== null && storage.identity !== stage.identity) return 'another identity'
    const wrong = wrongWith(stage, storage)
    if (wrong !== null) return wrong
    await time.settle(work(storage), PATIENCE_MS)
    const expected = contentOf(storage)
    await time.settle(storage.close(), PATIENCE_MS)
    stage.crash('nothing')
    const again = await time.settle(stage.start(), PATIENCE_MS)
    if (!again.recovery.wasClean) return 'closed, and not clean at the next start'
    const after = contentOf(again)
    if (after !== expected) return `gone on and closed, then ${differenceOf(after, expected)}`
    const late = wrongWith(stage, again)
    stage.crash('nothing')
    return late && `gone on and closed, then ${late}`
  }
}

function wrongWith({ disk }: ScriptStage, { recovery }: Storage): string | null {
  const [damage] = recovery.damaged
  if (damage) return `damage is reported: ${damage.file} at ${damage.offset}: ${damage.what}`
  const odd = [...disk.snapshot().keys()].filter((name) => name.endsWith('.tmp') || name.startsWith('quarantine-'))
  return odd.length > 0 ? `${odd.join()} left over` : null
}

/** Writes, overwrites and deletes until there was a checkpoint. */
async function work(storage: Storage): Promise<void> {
  const before = storage.stats.checkpoints
  for (let i = 0; i < 4 || storage.stats.checkpoints === before; i++) {
    if (i > 400) throw new Error('no checkpoint any more')
    await storage.synced(storage.putRecord(PARTITION, 'after', `k${i % 3}`, Buffer.alloc(9000, i), []))
    if (i % 3 === 2) await storage.synced(storage.putRecord(PARTITION, 'after', 'k1', null, []))
  }
}
