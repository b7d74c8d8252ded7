# tensorrt-stubs were written by a program; a type checker reads them only after this.
# Parameters cannot be called `in`, nor have none after those with a default.
s/self, in: /self, inputs: /
s/self: IPluginV3, in: /self: IPluginV3, inputs: /
s/channel_axis: int) -> IScaleLayer/channel_axis: int = 1) -> IScaleLayer/
# A tensor's type called bool hides Python's own, which most methods answer.
/^bool: DataType/d
# Of the parser's errors only the refitter's have a type.
s/def get_error(self, index: int) -> \.\.\.:/def get_error(self, index: int) -> ParserError:/
