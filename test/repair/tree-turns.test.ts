// A home that takes a partition over holds nothing of it, so no tree was begun: it is made in turns all the same.
import { expect, it, vi } from 'vitest'
import { PartitionIndexes } from '../../src/replica/partition-index.ts'
import { A, keyIn, version, write } from '../replica/memory-home.ts'
import { exchangingHomes } from '../repair/exchanging-homes.ts'

it('makes the tree of a partition that it has just taken over in turns', async () => {
  const [x, y] = await exchangingHomes(['x', 'y', 'z'])
  let counter = 0
  for (let i = 0; i < 4000; i++) {
    const key = keyIn(x!.directory, i)
    await x!.receive(key, write(version({ life: A, counter: ++counter }, `v${i}`)))
  }
  const longest: number[] = []
  const prepare = PartitionIndexes.prototype.prepare
  vi.spyOn(PartitionIndexes.prototype, 'prepare').mockImplementation(function (
    this: PartitionIndexes,
    partition,
    records,
  ) {
    const isThere = (this as unknown as { has?: unknown }) && prepare.call(this, partition, 0)
    const held = y!.indexes === this ? y!.storage.memtable.count(partition) : 0
    if (!isThere && records === Infinity) longest.push(held)
    return prepare.call(this, partition, records)
  })
  await y!.filling.begin('epoch')
  await y!.antiEntropy.round('x')
  expect(Math.max(0, ...longest)).toBeLessThanOrEqual(256)
})
