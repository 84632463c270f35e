// A key's operations, one after the other, with the freshness checker listening: what a test of freshness tells.

import { checkFreshness, joinStrictWrite } from '../../../src/simulator/checkers/freshness.ts'
import { type Guarantee, type ReadTold, readOf, writeOf } from './outcomes.ts'
import { Scene, type SceneOptions, type Told, type WriteTold } from './scene.ts'

export class Story {
  readonly scene: Scene

  private constructor(scene: Scene) {
    this.scene = scene
  }

  static async begin(options: SceneOptions = {}): Promise<Story> {
    return new Story(await Scene.open(options))
  }

  write(id: string, told: WriteTold & { readonly guarantee?: Guarantee } = {}): Told {
    const write = this.scene.write(id, told)
    const deleted = told.kind === 'delete'
    const acknowledged = (told.fate ?? 'acknowledged') === 'acknowledged'
    if (acknowledged) joinStrictWrite(writeOf(this.scene, write, { guarantee: told.guarantee ?? 'strict', deleted }))
    return write
  }

  /** The guarantees that it violates. */
  read(shows: readonly Told[], told: ReadTold = {}): string[] {
    const before = this.scene.found.length
    checkFreshness(this.scene.world, readOf(this.scene, { shows, ...told }))
    return this.scene.guarantees.slice(before)
  }
}
