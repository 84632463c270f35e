// What a home says of a write that it took.

import { expect, test } from 'vitest'
import { A, keyIn, memoryHomes, version, write } from './memory-home.ts'

test('a home that has the very version already does not say that something else was live before', async () => {
  const [home] = await memoryHomes(['x', 'y', 'z'])
  const key = keyIn(home!.directory, 1)
  const view = write(version({ life: A, counter: 1 }, 'value'))
  const options = { intent: 'client', conflict: 'siblings', durable: false, tellContext: true } as const
  expect(await home!.replica.write(key, view, options)).toMatchObject({ stored: true, heldLive: false })
  expect(await home!.replica.write(key, view, options)).toMatchObject({ stored: false, heldLive: false })
})
