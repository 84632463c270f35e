// Shows that the count behind the last line of `npm test` never turns a broken run into a green one.

import { describe, expect, test } from 'vitest'
import { tally } from '../../scripts/ci/tally.ts'

const passed = { status: 'passed', fullName: 'ring moves little' }
const failed = { status: 'failed', fullName: 'ring is fair' }
const skipped = { status: 'pending', fullName: 'disk full' }
const file = (status: string, ...assertionResults: object[]): object => ({
  name: 'a.test.ts',
  status,
  assertionResults,
})
const reportOf = (...testResults: object[]): string => JSON.stringify({ testResults })

describe('tally', () => {
  test('counts tests, and names what was skipped', () => {
    const counted = tally(reportOf(file('passed', passed, passed), file('failed', passed, failed, skipped)), 1)
    expect(counted).toEqual({ passed: 3, failed: 1, skipped: 1, skippedNames: ['disk full'], remarks: [] })
  })

  test('a green run is green', () => {
    expect(tally(reportOf(file('passed', passed)), 0)).toMatchObject({ passed: 1, failed: 0, remarks: [] })
  })

  test.each([
    ['no report', null, 0],
    ['no report after a signal', null, null],
    ['a torn report', '{"testResults": [', 0],
    ['a report of something else', '{}', 0],
    ['no test at all', reportOf(), 0],
    ['only skipped tests', reportOf(file('passed', skipped)), 0],
    ['a red status over green tests (an unhandled rejection)', reportOf(file('passed', passed)), 1],
    ['a signal over green tests', reportOf(file('passed', passed)), null],
    ['a file that could not be loaded', reportOf(file('passed', passed), file('failed')), 1],
    ['a hook that failed around green tests', reportOf(file('failed', passed)), 1],
  ])('%s counts as one failure', (_, report, status) => {
    const counted = tally(report, status)
    expect(counted.failed).toBe(1)
    expect(counted.remarks.length).toBeGreaterThan(0)
  })
})
