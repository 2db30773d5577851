" Two spaces, comments by #, and :make jumps to kilnc's errors.
setlocal expandtab shiftwidth=2 softtabstop=2 commentstring=#\ %s comments=:# cindent cinkeys-=0# textwidth=130
setlocal makeprg=kilnc\ %\ --weights\ zeros\ --emit=import
setlocal errorformat=%f:%l:%c:\ %trror:\ %m,%f:%l:%c:\ %tote:\ %m,%-G%.%#
