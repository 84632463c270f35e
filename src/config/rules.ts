// Rules that more than one setting, or more than a range, decides. Pure: settings in, violations out, all of them at once.

import type { Settings } from './settings.ts'
import type { Violation } from './sources.ts'

export function rulesBroken(settings: Settings): Violation[] {
  const broken: Violation[] = []
  const rule = (holds: boolean, setting: string, message: string): void => {
    if (!holds) broken.push({ setting, message })
  }
  const { port, peerPort, partitions } = settings
  rule(Number.isInteger(Math.log2(partitions)), 'partitions', `partitions: ${partitions} is not a power of two`)
  rule(
    port === 0 || port !== peerPort || settings.host !== settings.peerHost,
    'peerPort',
    `port and peerPort are both ${port}: clients and nodes need a port each`,
  )
  for (const address of settings.join) {
    const joinPort = Number(address.slice(address.lastIndexOf(':') + 1))
    rule(joinPort >= 1 && joinPort <= 65_535, 'join', `join: "${address}" has no port from 1 to 65535`)
  }
  rule(
    settings.failureTimeoutMs >= 2 * settings.heartbeatMs,
    'failureTimeoutMs',
    `failureTimeoutMs (${settings.failureTimeoutMs}) is less than two heartbeats (heartbeatMs is ${settings.heartbeatMs}): healthy peers would seem unreachable`,
  )
  rule(
    settings.siblingBytesMax >= settings.valueBytesMax,
    'siblingBytesMax',
    `siblingBytesMax (${settings.siblingBytesMax}) is less than valueBytesMax (${settings.valueBytesMax}): the largest value could never be stored`,
  )
  rule(
    settings.expect === null || settings.expect === 1 || settings.join.length > 0,
    'expect',
    `expect is ${settings.expect}, but join names nobody to wait for`,
  )
  return broken
}
