// One talk with a server over a connection of its own: everything is said in a few pieces, then no more, then what comes is heard until
// the other side closes. Knows nothing of HTTP. Never rejects.

import { connect } from 'node:net'

export interface Said {
  readonly heard: Buffer
  readonly end: 'closed' | 'reset' | 'refused' | 'silent'
}

const SILENT_MS = 15_000
let connections = 0

export function talk(port: number, pieces: readonly Buffer[]): Promise<Said> {
  return new Promise((resolve) => {
    const heard: Buffer[] = []
    // Ports that wait for stray packets of the past are each address's own.
    const localAddress = `127.0.0.${2 + (connections++ % 200)}`
    const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true })
    let end: Said['end'] = 'closed'
    const timer = setTimeout(() => {
      end = 'silent'
      socket.destroy()
    }, SILENT_MS)
    socket.on('data', (chunk: Buffer) => heard.push(chunk))
    socket.on('error', (error) => (end = /ECONNREFUSED/.test(error.message) ? 'refused' : 'reset'))
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      clearTimeout(timer)
      resolve({ heard: Buffer.concat(heard), end })
    })
    socket.setNoDelay(true)
    for (const piece of pieces.slice(0, -1)) socket.write(piece)
    socket.end(pieces.at(-1) ?? Buffer.alloc(0))
  })
}
