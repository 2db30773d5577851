" Colours of Kiln's models.
if exists("b:current_syntax")
  finish
endif
syntax keyword kilnDeclaration import const fn layer model recipe private param buffer state ignore tie
syntax keyword kilnControl if else for in return yield scan while
syntax keyword kilnWord as and or not
syntax keyword kilnConstant true false
syntax keyword kilnSelf self
syntax match kilnLoop /\<\(axis\|reverse\|limit\|with\)\>\%(\s*=\)\@!/
syntax keyword kilnType f64 f32 f16 bf16 f8e4m3 f8e5m2 i64 i32 i16 i8 u8 bool int float str dtype
syntax match kilnMember /\.\zs\h\w*/
syntax match kilnNumber /\<\(0x[0-9A-Fa-f_]\+\|\d[0-9_]*\(\.[0-9_]*\)\?\([eE][+-]\?\d\+\)\?\)/
syntax match kilnEscape /\\[nt\\"]/ contained
syntax region kilnString start=/"/ end=/"/ oneline contains=kilnEscape
syntax match kilnComment /#.*$/
highlight default link kilnDeclaration Keyword
highlight default link kilnControl Statement
highlight default link kilnLoop Statement
highlight default link kilnWord Operator
highlight default link kilnConstant Boolean
highlight default link kilnSelf Identifier
highlight default link kilnType Type
highlight default link kilnNumber Number
highlight default link kilnEscape SpecialChar
highlight default link kilnString String
highlight default link kilnComment Comment
let b:current_syntax = "kiln"
