# Writes the files TEXTS into OUTPUT as one C++ raw string after another.
set(all "")
foreach(text IN LISTS TEXTS)
  file(READ ${text} content)
  # A compiler need not take string literals over 64 KiB: cut at that, they join again as neighbours.
  string(LENGTH "${content}" length)
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${content}" ${at} 8000 piece)
    string(APPEND all "R\"tapir_text(${piece})tapir_text\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
endforeach()
file(WRITE ${OUTPUT} "${all}")
