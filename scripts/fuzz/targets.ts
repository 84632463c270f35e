// The targets by name, with their doors and the files of src/ that these lead to. A table; decides nothing.

import type { Target } from './door.ts'
import { CONTEXT_DOORS } from './doors/context-doors.ts'
import { directoryDoor } from './doors/directory-door.ts'
import { FRAME_DOORS } from './doors/frame-doors.ts'
import { headerDoor } from './doors/header-door.ts'
import { LINK_DOORS } from './doors/link-doors.ts'
import { RECORD_DOORS } from './doors/record-doors.ts'

export const TARGETS: Readonly<Record<Target['name'], Target>> = {
  frames: {
    name: 'frames',
    sources: [
      'src/link/framing.ts',
      'src/link/handshake.ts',
      'src/protocol/bounds.ts',
      'src/protocol/codec.ts',
      'src/protocol/common-frames.ts',
      'src/protocol/fields.ts',
      'src/protocol/pack-reader.ts',
      'src/protocol/request-codec.ts',
      'src/protocol/reply-codec.ts',
      'src/core/causality/view.ts',
      'src/core/membership/member-table.ts',
      'src/core/membership/bucket-settings.ts',
    ],
    doors: [...FRAME_DOORS, ...LINK_DOORS],
  },
  records: {
    name: 'records',
    sources: [
      'src/core/bytes.ts',
      'src/core/causality/record.ts',
      'src/core/causality/steady-record.ts',
      'src/core/causality/version.ts',
      'src/storage/entry-reader.ts',
      'src/storage/frame-reader.ts',
      'src/storage/log-reader.ts',
      'src/storage/checkpoint-reader.ts',
      'src/storage/recovery.ts',
      'src/storage/file-header.ts',
    ],
    doors: [...RECORD_DOORS, directoryDoor],
  },
  contexts: {
    name: 'contexts',
    sources: [
      'src/core/causality/context-token.ts',
      'src/core/causality/dot-lists.ts',
      'src/coordinator/listing-cursor.ts',
      'src/http/conditions.ts',
      'src/http/request-headers.ts',
      'src/http/request-head.ts',
      'src/http/key-target.ts',
    ],
    doors: [...CONTEXT_DOORS, headerDoor],
  },
}
