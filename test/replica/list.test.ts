// A home's pages of a listing go on after the position that they are given, whatever the bucket is called.

import { expect, test } from 'vitest'
import { HybridClock } from '../../src/core/causality/hybrid-clock.ts'
import { listKeys, type ListQuestion } from '../../src/replica/list.ts'
import { A, memoryHomes, STILL_CLOCK, version, write } from './memory-home.ts'

for (const bucket of ['b', '\uffff\uffff\uffff']) {
  test(`every key is listed once, one at a time, in bucket ${JSON.stringify(bucket)}`, async () => {
    const [home] = await memoryHomes(['x', 'y', 'z'])
    const partition = 3
    for (let i = 1; i <= 5; i++) {
      await home!.receive({ partition, bucket, key: `k${i}` }, write(version({ life: A, counter: i }, 'value')))
      await home!.receive(
        { partition, bucket: 'other', key: `k${i}` },
        write(version({ life: A, counter: 10 + i }, 'value')),
      )
    }
    const parts = { storage: home!.storage, filling: home!.filling, hybrid: new HybridClock(), clock: STILL_CLOCK }
    const listed: string[] = []
    let after: ListQuestion['after'] = null
    for (let page = 0; page < 10; page++) {
      const reply = listKeys(parts, { bucket, partition, prefix: '', after, limit: 1 })
      listed.push(...reply.keys.map(({ key }) => key))
      if (!reply.more) break
      after = reply.keys.at(-1) ?? null
    }
    expect(listed.toSorted()).toEqual(['k1', 'k2', 'k3', 'k4', 'k5'])
  })
}
