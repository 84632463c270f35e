// Exit statuses and usage: what a script may rely on.

import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/catalogue.ts'
import { fakeNode, problem, runCli, type FakeNode, type Reply } from './fake-node.ts'

let node: FakeNode | null = null
afterEach(async () => {
  await node?.close()
  node = null
})

async function statusFor(reply: Reply, argv: readonly string[]): Promise<number> {
  node = await fakeNode(() => reply)
  const { status } = await runCli([...argv, '--url', node.url])
  await node.close()
  return status
}

describe('exit status', () => {
  it('is 2 for what cannot be understood', async () => {
    const wrong = [
      [],
      ['frobnicate'],
      ['get'],
      ['get', 'b'],
      ['get', 'b', 'k', 'too-much'],
      ['get', 'b', 'k', '--nonsense'],
      ['get', 'b', 'k', '--r', 'most'],
      ['get', 'b', 'k', '--timeout', '0'],
      ['keys', 'b', '--limit', 'x'],
      ['cluster', 'plan'],
      ['bucket', 'b', 'nn=3'],
      ['ring', 'b'],
      ['get', 'b', 'k', '--url', 'ftp://x'],
      ['get', 'b', 'k', '--url', 'nonsense'],
      ['get', 'b', 'k', '--url', 'host:port'],
      ['dev', '--nodes', '0'],
      ['dev', '--memory', '--data', 'x'],
      ['start', '--port', '99999'],
      ['config', '--port', 'x'],
      ['import', 'x.json'],
    ]
    for (const argv of wrong) {
      const { status, stdout, stderr } = await runCli(argv)
      expect([argv, status, stdout]).toEqual([argv, 2, ''])
      expect(stderr).not.toBe('')
    }
  })

  it('is 0 for help and version, and help lists every command', async () => {
    expect((await runCli(['--version'])).status).toBe(0)
    expect((await runCli(['version'])).stdout).toMatch(/^quorate \d+\.\d+\.\d+ \(node /)
    const help = await runCli(['--help'])
    expect(help.status).toBe(0)
    for (const { name } of COMMANDS) expect(help.stdout).toContain(`  ${name}`)
    for (const { name } of COMMANDS) expect([name, (await runCli(['help', name])).status]).toEqual([name, 0])
  })

  it('is 3 for what is not there and 4 for a quorum that was not met', async () => {
    expect(await statusFor(problem(404, 'not-found'), ['get', 'b', 'k'])).toBe(3)
    expect(await statusFor(problem(503, 'quorum-not-met', { required: 2, acknowledged: 1 }), ['get', 'b', 'k'])).toBe(4)
    expect(await statusFor(problem(503, 'quorum-not-met', { outcome: 'unknown' }), ['put', 'b', 'k', 'v'])).toBe(4)
    expect(await statusFor(problem(503, 'context-not-reached'), ['get', 'b', 'k'])).toBe(4)
    expect(await statusFor(problem(503, 'quorum-not-met'), ['keys', 'b'])).toBe(4)
  })

  it('is 2 for what the node finds wrong with the words', async () => {
    for (const [code, status, argv] of [
      ['bad-header', 400, ['put', 'b', 'k', 'v', '--ttl', 'abc']],
      ['bad-header', 400, ['put', 'b', 'k', 'v', '--idempotency-key', 'x'.repeat(65)]],
      ['bad-body', 400, ['bucket', 'b', 'n=abc']],
      ['bad-key', 400, ['get', '.', 'x']],
      ['bad-context', 400, ['put', 'b', 'k', 'v', '--context', 'x']],
      ['key-too-long', 414, ['delete', 'b', 'x'.repeat(1025)]],
    ] as const)
      expect(await statusFor(problem(status, code), argv), argv.join(' ')).toBe(2)
  })

  it('is 1 for every other failure, and for a node that is not there', async () => {
    expect(await statusFor(problem(409, 'too-many-siblings'), ['put', 'b', 'k', 'v'])).toBe(1)
    expect(await statusFor({ status: 400, body: 'somebody else’s' }, ['get', 'b', 'k'])).toBe(1)
    expect(await statusFor(problem(503, 'not-serving'), ['cluster'])).toBe(1)
    expect(await statusFor({ status: 502, body: 'bad gateway' }, ['hints'])).toBe(1)
    const { status, stderr } = await runCli(['get', 'b', 'k'], { env: { QUORATE_URL: 'http://127.0.0.1:1' } })
    expect(status).toBe(1)
    expect(stderr).toContain('http://127.0.0.1:1')
  })
})

it('prints the problem itself with --json', async () => {
  node = await fakeNode(() => problem(503, 'quorum-not-met', { required: 2 }))
  const { stdout } = await runCli(['get', 'b', 'k', '--json', '--url', node.url])
  expect(JSON.parse(stdout)).toMatchObject({ code: 'quorum-not-met', required: 2 })
})

it('tells all violations of the settings together, and where each value in force came from', async () => {
  const wrong = await runCli(['config', '--port', 'x'], { env: { QUORATE_WEIGHT: '-1', QUORATE_NO_SUCH: '1' } })
  expect(wrong.status).toBe(2)
  for (const name of ['--port', 'QUORATE_WEIGHT', 'QUORATE_NO_SUCH']) expect(wrong.stderr).toContain(name)

  const folder = mkdtempSync(join(tmpdir(), 'quorate-cli-'))
  try {
    writeFileSync(join(folder, 'c.json'), '{"zone": "attic"}')
    const right = await runCli(['config', '--json', '--config', join(folder, 'c.json'), '--name', 'n'], {
      env: { QUORATE_SECRET: 'hush' },
    })
    expect(right.status).toBe(0)
    expect(right.stdout).not.toContain('hush')
    expect(JSON.parse(right.stdout)).toMatchObject({
      name: { value: 'n', source: 'flag' },
      zone: { value: 'attic', source: 'file' },
      secret: { source: 'env', from: 'QUORATE_SECRET' },
      port: { value: 7480, source: 'default' },
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
