# cmake -DOUT=page_data.c -DDIR=<a folder> -P embed.cmake: each of the folder's files for browsers as an array of bytes, as
# its data.h declares them.
get_filename_component(room ${DIR} NAME)
set(text "#include \"${room}/data.h\"\n")
file(GLOB files RELATIVE ${DIR} ${DIR}/*.html ${DIR}/*.css ${DIR}/*.js ${DIR}/*.svg)
foreach(file ${files})
  string(REGEX REPLACE "[.-]" "_" name ${file})
  file(READ ${DIR}/${file} hex HEX)
  string(LENGTH "${hex}" len)
  math(EXPR len "${len} / 2")
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND text "const char ${name}[] = {${bytes}'\\0'};\nconst size_t ${name}_len = ${len};\n")
endforeach()
file(WRITE ${OUT} "${text}")
