// Whether ports can be had, before anything is started on them.

import { createServer } from 'node:net'

/** Those of `ports` that somebody else listens on. */
export async function portsInUse(host: string, ports: readonly number[]): Promise<number[]> {
  const taken: number[] = []
  for (const port of ports) if (!(await isFree(host, port))) taken.push(port)
  return taken
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
